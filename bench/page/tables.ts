// A table for each workload: there from the start, with what each contestant is doing; its numbers when they have come.
import type { Calibration } from '../../src/index.ts';
import { calibrationLines } from '../calibration_table.ts';
import { columns, header, OWN, ownTime, ranking, type Column } from '../columns.ts';
import type { Progress } from '../measure.ts';
import type { Row, Status } from '../results.ts';
import { describeWorkload, type Workload } from '../workloads.ts';
import { colorOf } from './chart.ts';
import { element, make } from './dom.ts';

const DOING: Readonly<Record<Progress['doing'], string>> = {
  preparing: 'preparing …',
  timing: 'taking turns …',
};
const BAD: readonly Status[] = ['wrong', 'fell back', 'failed'];

const headOf = (contestant: string): HTMLElement => {
  const swatch = make('i', { ariaHidden: 'true' });
  swatch.style.background = colorOf(contestant);
  return make('th', { scope: 'row', className: contestant === OWN ? 'own' : '' }, swatch, contestant);
};

/** A number, with its spread in another colour. */
function cell(column: Column, row: Row, workload: Workload, own: number | undefined): HTMLElement {
  const [value, spread] = (column.text(row, workload, own) ?? '–').split(' (');
  return make(
    'td',
    {},
    value,
    ...(spread === undefined ? [] : [make('span', { className: 'spread' }, ` (${spread}`)]),
  );
}

const unitOf = ({ unit }: Column): readonly Node[] => (unit === undefined ? [] : [make('small', {}, unit)]);

const sentence = (className: string, ...content: readonly (Node | string)[]): HTMLElement =>
  make('td', { className, colSpan: columns.length }, ...content);

const tell = (line: HTMLElement, doing: string): void =>
  line.lastElementChild?.replaceWith(sentence('remark', doing));

export class Tables {
  readonly #host = element('tables', HTMLElement);
  readonly #lines = new Map<string, HTMLElement>();
  readonly #remarks = new Map<string, HTMLElement>();
  #preparing: HTMLElement | undefined;

  /** Empty tables, in place of those there are. */
  begin(workloads: readonly Workload[], contestants: readonly string[]): void {
    this.#lines.clear();
    this.#preparing = undefined;
    this.#host.replaceChildren(
      ...workloads.map((workload) => {
        const body = make('tbody', {});
        for (const contestant of contestants) {
          const line = make('tr', {}, headOf(contestant), sentence('remark', 'waiting'));
          this.#lines.set(`${workload.name}/${contestant}`, line);
          body.append(line);
        }
        const head = columns.map((column) =>
          make('th', { scope: 'col', title: column.help }, column.title, ...unitOf(column)),
        );
        const remarks = make('div', { className: 'remarks', hidden: true });
        this.#remarks.set(workload.name, remarks);
        const id = `table-${workload.name}`;
        const scroll = make(
          'div',
          { className: 'scroll', tabIndex: 0, role: 'region' },
          make('table', {}, make('thead', {}, make('tr', {}, make('td', {}), ...head)), body),
          remarks,
        );
        scroll.setAttribute('aria-labelledby', id);
        return make(
          'section',
          { className: 'card' },
          make(
            'div',
            { className: 'workload' },
            make('h2', { id }, workload.name),
            make('p', { className: 'note' }, describeWorkload(workload)),
          ),
          scroll,
        );
      }),
    );
  }

  progress({ workload, contestant, doing }: Progress): void {
    const line = this.#lines.get(`${workload}/${contestant}`);
    const before = this.#preparing;
    if (before !== undefined && before !== line) tell(before, 'prepared');
    this.#preparing = doing === 'preparing' ? line : undefined;
    if (line !== undefined) tell(line, DOING[doing]);
  }

  /** Of all workloads that are done, as what a row is compared with may have changed. */
  show(workloads: readonly Workload[], rows: readonly Row[]): void {
    for (const workload of workloads) {
      const own = ownTime(workload, rows);
      const of = rows.filter((row) => row.workload === workload.name);
      for (const row of of)
        this.#lines
          .get(`${workload.name}/${row.contestant}`)
          ?.replaceChildren(headOf(row.contestant), ...this.#cells(row, workload, own));
      const remarks = of.filter(({ status, note }) => status === 'ok' && note !== undefined);
      const host = this.#remarks.get(workload.name);
      const timed = of.filter(({ timing }) => timing !== undefined).length;
      host?.replaceChildren(
        ...(timed < 2 ? [] : [make('p', {}, ranking(workload, rows))]),
        ...remarks.map(({ contestant, note }) => make('p', {}, `${contestant}: ${note ?? ''}.`)),
      );
      if (host !== undefined) host.hidden = host.childElementCount === 0;
    }
  }

  #cells(row: Row, workload: Workload, own: number | undefined): readonly HTMLElement[] {
    if (row.timing !== undefined) return columns.map((column) => cell(column, row, workload, own));
    const status = make('strong', { className: BAD.includes(row.status) ? 'bad' : '' }, row.status);
    return [sentence('remark', status, row.note === undefined ? '' : `: ${row.note}`)];
  }
}

export function showCalibration(calibration: Calibration): void {
  const lines = calibrationLines(calibration).map(({ name, device, workgroup }) =>
    make('tr', {}, make('th', { scope: 'row' }, name), make('td', {}, device), make('td', {}, workgroup)),
  );
  const head = ['device', 'one workgroup'].map((text) => make('th', { scope: 'col' }, text));
  element('calibration-table', HTMLElement).replaceChildren(
    make(
      'table',
      {},
      make('thead', {}, make('tr', {}, make('td', {}), ...head)),
      make('tbody', {}, ...lines),
    ),
  );
  element('calibration', HTMLElement).hidden = false;
}

export function showHelp(): void {
  element('help', HTMLElement).append(
    ...columns.map((column) => make('div', {}, make('dt', {}, header(column)), make('dd', {}, column.help))),
  );
}
