// The README's table of speed, from a results file.
import { OWN, ownTime, timeOf, type Results, type Row } from './results.ts';
import { describeWorkload } from './workloads.ts';

/** 1234.5 as `1,235`, 12.345 as `12.3`, 0.01234 as `0.012`. */
export function milliseconds(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toFixed(3);
}

/** Minutes and seconds, as `3:07`. */
export function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** A ratio of times: 16.3 as `16×`, 2.31 as `2.3×`. */
export function times(ratio: number): string {
  return `${ratio >= 10 ? Math.round(ratio).toLocaleString('en-US') : ratio.toFixed(ratio >= 1 ? 1 : 2)}×`;
}

export function formatRho(rho: number): string {
  if (rho >= 0.1) return rho.toFixed(2);
  return rho < 0.001 ? '<0.001' : rho.toPrecision(2);
}

const SHORT: Readonly<Record<Row['status'], string>> = {
  ok: '',
  wrong: 'wrong answer',
  'fell back': 'ran elsewhere',
  unsupported: '–',
  failed: 'failed',
};

/** The notes of rows, each once, with the workloads that it concerns. */
function notesOf({ workloads, rows }: Pick<Results, 'workloads' | 'rows'>): string[] {
  const notes = new Map<string, string[]>();
  for (const { workload: name, contestant, note } of rows) {
    const workload = workloads.find((one) => one.name === name);
    if (note === undefined || workload === undefined) continue;
    const text = `${contestant}: ${note}`;
    notes.set(text, [...(notes.get(text) ?? []), describeWorkload(workload)]);
  }
  return [...notes].map(([text, of]) => `- ${text} (${of.join('; ')}).`);
}

/**
 * Milliseconds by workload and contestant, with the ratio of a peer's time to gatewise's, and gatewise's ρ; below the table the
 * notes of rows.
 */
export function speedTable({ workloads, rows, adapter, environment, date, versions }: Results): string {
  const names = [...new Set(rows.map(({ contestant }) => contestant))];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const body = workloads.map((workload) => {
    const of = (name: string): Row | undefined =>
      rows.find((row) => row.workload === workload.name && row.contestant === name);
    const own = ownTime(workload, rows);
    const cell = (name: string): string => {
      const row = of(name);
      if (row === undefined) return '';
      const time = timeOf(workload, row);
      if (time === undefined) return SHORT[row.status];
      if (name === OWN)
        return `**${milliseconds(time)}** (ρ ${row.rho === undefined ? '?' : formatRho(row.rho)})`;
      return `${milliseconds(time)}${own === undefined ? '' : ` (${times(time / own)})`}`;
    };
    return line([describeWorkload(workload), ...names.map(cell)]);
  });
  const agent = /(?:Headless)?(Chrome|Edg|Firefox|Safari)\/(\d+)/.exec(environment.agent);
  const browser = agent === null ? environment.agent : `${agent[1]} ${agent[2]}`;
  const notes = notesOf({ workloads, rows });
  const peers = names.filter((name) => name in versions).map((name) => `${name} ${versions[name]}`);
  return [
    `${browser}, ${adapter.description}, ${environment.cores} cores, ${date.slice(0, 10)}; ${peers.join(', ')}.`,
    '',
    line(['milliseconds', ...names]),
    line(['---', ...names.map(() => '---')]),
    ...body,
    ...(notes.length === 0 ? [] : ['', ...notes]),
  ].join('\n');
}
