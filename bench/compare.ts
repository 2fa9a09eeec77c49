// Two runs of the benchmark beside each other: whether the ranking stayed, and what changed by how much.
import { tableLines } from '../src/plan/table.ts';
import { spreadOf, timeOf, type Results, type Row } from './results.ts';
import { isTied } from './statistics.ts';
import { milliseconds } from './speed_table.ts';
import type { Workload } from './workloads.ts';

export interface Change {
  readonly workload: string;
  readonly contestant: string;
  /** Milliseconds, before and after. */
  readonly times: readonly [before: number, after: number];
  /** Whether the spreads of both runs meet. */
  readonly overlaps: boolean;
}

export interface Swap {
  readonly workload: string;
  /** Who was faster before and is slower after. */
  readonly contestants: readonly [string, string];
  /** By how much they differed at most in either run: 1.1 is a tenth. */
  readonly ratio: number;
  /** Whether either run saw no difference between them: then it is no contradiction. */
  readonly tied: boolean;
}

/** A pair in the same order in both runs, of which but one could tell them apart. */
export interface Settled {
  readonly workload: string;
  readonly contestants: readonly [faster: string, slower: string];
  readonly apart: 'before' | 'after';
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Pairs whose medians turned round. */
  readonly swaps: readonly Swap[];
  readonly settled: readonly Settled[];
  /** Rows that are not timed in both, and what is with them before and after. */
  readonly lost: readonly Lost[];
  /** In what the runs differ, beside their times. */
  readonly differences: readonly string[];
}

export interface Lost {
  readonly workload: string;
  readonly contestant: string;
  readonly states: readonly [before: string, after: string];
}

function pairsOf(before: Results, after: Results, workload: Workload): readonly (readonly [Row, Row])[] {
  const timed = ({ rows }: Results): Row[] =>
    rows.filter((row) => row.workload === workload.name && timeOf(workload, row) !== undefined);
  return timed(before).flatMap((row) => {
    const other = timed(after).find(({ contestant }) => contestant === row.contestant);
    return other === undefined ? [] : [[row, other] as const];
  });
}

const keyOf = ({ workload, contestant }: Row): string => `${workload}/${contestant}`;

/** Rows that one run has and the other has not, or that are not `ok` in both; those that are alike left out. */
function lostOf(before: Results, after: Results): Lost[] {
  const stateOf = (row: Row | undefined): string =>
    row === undefined ? 'missing' : row.status === 'ok' ? 'timed' : row.status;
  const all = new Map([...before.rows, ...after.rows].map((row) => [keyOf(row), row]));
  return [...all].flatMap(([key, { workload, contestant }]) => {
    const of = ({ rows }: Results): string => stateOf(rows.find((row) => keyOf(row) === key));
    const states = [of(before), of(after)] as const;
    return states[0] === states[1] ? [] : [{ workload, contestant, states }];
  });
}

function differencesOf(before: Results, after: Results): string[] {
  const said = (results: Results): Record<string, unknown> => ({
    adapter: results.adapter.description,
    agent: results.environment.agent,
    platform: results.environment.platform,
    cores: results.environment.cores,
    CPU: results.environment.cpu,
    commit: results.environment.commit,
    ...results.settings,
    ...results.versions,
  });
  const [was, is] = [said(before), said(after)];
  const text = (value: unknown): string => (value === undefined ? 'none' : String(value));
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((name) =>
    was[name] === is[name] ? [] : [`${name}: ${text(was[name])} before, ${text(is[name])} after`],
  );
}

/** What was timed in both, and what was not. */
export function compare(before: Results, after: Results): Comparison {
  const changes: Change[] = [];
  const swaps: Swap[] = [];
  const settled: Settled[] = [];
  for (const workload of before.workloads) {
    const here = pairsOf(before, after, workload).map(([first, second]) => {
      const [a, b] = [spreadOf(workload, first), spreadOf(workload, second)];
      if (a === undefined || b === undefined) throw new Error('a timed row has no spread');
      return { contestant: first.contestant, spreads: [a, b] as const };
    });
    for (const { contestant, spreads } of here) {
      const [a, b] = spreads;
      changes.push({
        workload: workload.name,
        contestant,
        times: [a.median, b.median],
        overlaps: isTied(a, b),
      });
    }
    here.forEach((one, i) => {
      for (const other of here.slice(i + 1)) {
        const runs = [0, 1].map((run) => [one.spreads[run], other.spreads[run]] as const);
        const [was, is] = runs.map(([a, b]) => a.median / b.median);
        const [faster, slower] = was < 1 ? [one, other] : [other, one];
        const tied = runs.map(([a, b]) => isTied(a, b));
        if ((was - 1) * (is - 1) >= 0) {
          if (tied[0] !== tied[1])
            settled.push({
              workload: workload.name,
              contestants: [faster.contestant, slower.contestant],
              apart: tied[0] ? 'after' : 'before',
            });
          continue;
        }
        swaps.push({
          workload: workload.name,
          contestants: [faster.contestant, slower.contestant],
          ratio: Math.max(was, 1 / was, is, 1 / is),
          tied: tied.includes(true),
        });
      }
    });
  }
  return { changes, swaps, settled, lost: lostOf(before, after), differences: differencesOf(before, after) };
}

export function printComparison({ changes, swaps, settled, lost, differences }: Comparison): string {
  const rows = changes.map(({ workload, contestant, times: [before, after], overlaps }) => [
    workload,
    contestant,
    milliseconds(before),
    milliseconds(after),
    (after / before).toFixed(2),
    overlaps ? '' : 'beyond the spread',
  ]);
  const header = ['workload', 'contestant', 'before, ms', 'after, ms', 'after / before', ''];
  const tell = ({ workload, contestants: [faster, slower], ratio, tied }: Swap): string =>
    `${workload}: ${faster} was faster than ${slower} and is slower, by at most ${((ratio - 1) * 100).toFixed(0)} %${tied ? ', within the spread' : ''}`;
  const ranking = [
    ...swaps.map(tell),
    ...settled.map(
      ({ workload, contestants: [one, other], apart }) =>
        `${workload}: ${one} and ${other} were ${apart === 'before' ? 'apart and are on a par' : 'on a par and are apart'}`,
    ),
    ...(swaps.every(({ tied }) => tied)
      ? [
          swaps.length + settled.length === 0
            ? 'the ranking is the same in every workload'
            : 'neither ranking contradicts the other',
        ]
      : []),
  ];
  const losses = lost.map(
    ({ workload, contestant, states: [before, after] }) =>
      `${workload}: ${contestant} is ${before} before and ${after} after`,
  );
  const parts = [
    differences,
    changes.length === 0 ? ['nothing was timed in both runs'] : tableLines([header, ...rows], 2),
    losses,
    changes.length === 0 ? [] : ranking,
  ];
  return parts
    .filter(({ length }) => length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}
