// A table for each workload that has been measured, and one for the calibration.
import type { Calibration } from '../../src/index.ts';
import { columns, ranking, type Column } from '../columns.ts';
import { calibrationLines } from '../print.ts';
import { OWN, ownTime, type Results, type Row } from '../results.ts';
import { describeWorkload, type Workload } from '../workloads.ts';
import { colorOf } from './chart.ts';
import { element, make } from './dom.ts';

const headOf = (contestant: string): HTMLElement => {
  const swatch = make('i', { ariaHidden: 'true' });
  swatch.style.background = colorOf(contestant);
  return make('th', { scope: 'row', className: contestant === OWN ? 'own' : '' }, swatch, contestant);
};

/** A number, with its spread in another colour. */
function cell(column: Column, row: Row, workload: Workload, own: number | undefined): HTMLElement {
  const [value, spread] = (column.text(row, workload, own) ?? '–').split(' (');
  const more = spread === undefined ? [] : [make('span', { className: 'spread' }, ` (${spread}`)];
  return make('td', {}, value, ...more);
}

function lineOf(row: Row, workload: Workload, own: number | undefined): HTMLElement {
  const { contestant, status, note, timing } = row;
  if (timing !== undefined)
    return make('tr', {}, headOf(contestant), ...columns.map((column) => cell(column, row, workload, own)));
  const state = make('strong', { className: status === 'unsupported' ? '' : 'bad' }, status);
  const why = note === undefined ? '' : `: ${note}`;
  const remark = make('td', { className: 'remark', colSpan: columns.length }, state, why);
  return make('tr', {}, headOf(contestant), remark);
}

/** A table whose first column has no head. */
const table = (head: readonly HTMLElement[], lines: readonly HTMLElement[]): HTMLElement =>
  make('table', {}, make('thead', {}, make('tr', {}, make('td', {}), ...head)), make('tbody', {}, ...lines));

/** A section with a table that scrolls. */
function cardOf(name: string, title: string, about: string, ...content: readonly Node[]): HTMLElement {
  const id = `table-${name}`;
  const scroll = make('div', { className: 'scroll', tabIndex: 0, role: 'region' }, ...content);
  scroll.setAttribute('aria-labelledby', id);
  const head = [make('h2', { id }, title), make('p', { className: 'note' }, about)];
  return make('section', { className: 'card' }, ...head, scroll);
}

function workloadCard(workload: Workload, rows: readonly Row[]): HTMLElement {
  const own = ownTime(workload, rows);
  const of = rows.filter((row) => row.workload === workload.name);
  const timed = of.filter(({ timing }) => timing !== undefined);
  const head = columns.map((column) => make('th', { scope: 'col', title: column.help }, column.title));
  const lines = of.map((row) => lineOf(row, workload, own));
  const remarks = [
    ...(timed.length < 2 ? [] : [ranking(workload, rows)]),
    ...timed.flatMap(({ contestant, note }) => (note === undefined ? [] : [`${contestant}: ${note}.`])),
  ].map((text) => make('p', { className: 'note' }, text));
  return cardOf(workload.name, workload.name, describeWorkload(workload), table(head, lines), ...remarks);
}

function calibrationCard(calibration: Calibration): HTMLElement {
  const lines = calibrationLines(calibration).map(([name, ...rates]) =>
    make('tr', {}, make('th', { scope: 'row' }, name), ...rates.map((rate) => make('td', {}, rate))),
  );
  const head = ['device', 'one workgroup'].map((text) => make('th', { scope: 'col' }, text));
  const about =
    'Measured in this run by small kernels of gatewise’s own. From these rates comes the floor of each workload, and from the floor ρ.';
  return cardOf('calibration', 'What this adapter can do', about, table(head, lines));
}

export function showTables({ workloads, rows, calibration }: Results): void {
  const measured = workloads.filter(({ name }) => rows.some(({ workload }) => workload === name));
  element('tables', HTMLElement).replaceChildren(
    ...measured.map((workload) => workloadCard(workload, rows)),
    calibrationCard(calibration),
  );
}

export function showHelp(): void {
  element('help', HTMLElement).append(
    ...columns.map((column) => make('div', {}, make('dt', {}, column.title), make('dd', {}, column.help))),
  );
}
