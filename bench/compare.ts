// Two runs of the benchmark beside each other: whether the ranking stayed, and what changed by how much.
import { tableLines } from '../src/plan/table.ts';
import { spreadOf, timeOf, type Results, type Row } from './results.ts';
import { milliseconds } from './speed_table.ts';
import type { Workload } from './workloads.ts';

export interface Change {
  readonly workload: string;
  readonly contestant: string;
  /** Milliseconds, before and after. */
  readonly times: readonly [before: number, after: number];
  /** Whether half of the samples of both runs share a range. */
  readonly overlaps: boolean;
}

export interface Swap {
  readonly workload: string;
  /** Who was faster before and is slower after. */
  readonly contestants: readonly [string, string];
  /** By how much they differed at most in either run: 1.1 is a tenth. */
  readonly ratio: number;
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Pairs whose order turned round. */
  readonly swaps: readonly Swap[];
}

function pairsOf(before: Results, after: Results, workload: Workload): readonly (readonly [Row, Row])[] {
  const timed = ({ rows }: Results): Row[] =>
    rows.filter((row) => row.workload === workload.name && timeOf(workload, row) !== undefined);
  return timed(before).flatMap((row) => {
    const other = timed(after).find(({ contestant }) => contestant === row.contestant);
    return other === undefined ? [] : [[row, other] as const];
  });
}

/** What was timed in both. */
export function compare(before: Results, after: Results): Comparison {
  const changes: Change[] = [];
  const swaps: Swap[] = [];
  for (const workload of before.workloads) {
    const here = pairsOf(before, after, workload).map(([first, second]): Change => {
      const [a, b] = [spreadOf(workload, first), spreadOf(workload, second)];
      if (a === undefined || b === undefined) throw new Error('a timed row has no spread');
      return {
        workload: workload.name,
        contestant: first.contestant,
        times: [a.median, b.median],
        overlaps: a.q1 <= b.q3 && b.q1 <= a.q3,
      };
    });
    changes.push(...here);
    here.forEach((one, i) => {
      for (const other of here.slice(i + 1)) {
        const [was, is] = [0, 1].map((run) => one.times[run] / other.times[run]);
        if ((was - 1) * (is - 1) >= 0) continue;
        const [faster, slower] = was < 1 ? [one, other] : [other, one];
        swaps.push({
          workload: workload.name,
          contestants: [faster.contestant, slower.contestant],
          ratio: Math.max(was, 1 / was, is, 1 / is),
        });
      }
    });
  }
  return { changes, swaps };
}

export function printComparison({ changes, swaps }: Comparison): string {
  if (changes.length === 0) return 'nothing was timed in both runs';
  const rows = changes.map(({ workload, contestant, times: [before, after], overlaps }) => [
    workload,
    contestant,
    milliseconds(before),
    milliseconds(after),
    (after / before).toFixed(2),
    overlaps ? '' : 'beyond the quartiles',
  ]);
  const header = ['workload', 'contestant', 'before, ms', 'after, ms', 'after / before', ''];
  const ranking =
    swaps.length === 0
      ? ['the ranking is the same in every workload']
      : swaps.map(
          ({ workload, contestants: [faster, slower], ratio }) =>
            `${workload}: ${faster} was faster than ${slower} and is slower, by at most ${((ratio - 1) * 100).toFixed(0)} %`,
        );
  return [...tableLines([header, ...rows], 2), '', ...ranking].join('\n');
}
