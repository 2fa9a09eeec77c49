// The times of two commits in one run, as ratios with their confidence intervals.
import ttest from '@stdlib/stats-ttest';

import { tableLines } from '../src/plan/table.ts';
import { OWN, timeOf, type Ratio, type Results } from './results.ts';
import { milliseconds } from './speed_table.ts';
import { medianOf } from './statistics.ts';

/** A workload is slower if the whole interval of its ratio lies below this. */
const SLOWER = 0.95;

/** Student's t over the logarithms of the ratios of each pass: passes pair the times. */
export function pairedRatio(
  before: readonly number[],
  after: readonly number[],
): Pick<Ratio, 'ratio' | 'interval'> {
  const logs = before.map((time, pass) => Math.log(time / after[pass]));
  if (logs.length === 1) return { ratio: Math.exp(logs[0]) };
  const { mean, sd, ci } = ttest(logs);
  // If all passes agree to the last digit, the library gives NaN.
  const [low, high] = sd === 0 ? [mean, mean] : ci;
  return { ratio: Math.exp(mean), interval: [Math.exp(low), Math.exp(high)] };
}

/** @param before The contestant of the earlier commit. A pass counts for a workload only if it timed both. */
function ratiosOf(passes: readonly Results[], before: string, after: string): readonly Ratio[] {
  return passes[0].workloads.flatMap((workload) => {
    const pairs = passes.flatMap(({ rows }) => {
      const times = [before, after].map((contestant) => {
        const row = rows.find((one) => one.workload === workload.name && one.contestant === contestant);
        return row && timeOf(workload, row);
      });
      const [old = 0, now = 0] = times;
      // A slope over few runs can come out below 0, which says nothing.
      return old > 0 && now > 0 ? [[old, now] as const] : [];
    });
    if (pairs.length === 0) return [];
    const [old, now] = [0, 1].map((which) => pairs.map((pair) => pair[which]));
    return [{ workload: workload.name, before: old, after: now, ...pairedRatio(old, now) }];
  });
}

/** The ratios of a run against a commit, and as text. */
export function compareCommits(
  passes: readonly Results[],
  commit: string,
): { readonly ratios: readonly Ratio[]; readonly slower: boolean; readonly text: string } {
  const ratios = ratiosOf(passes, `gatewise ${commit}`, OWN);
  const head = ['workload', `${commit}, ms`, 'working tree, ms', 'ratio', '95 % interval', 'passes', ''];
  const lines = ratios.map(({ workload, before, after, ratio, interval }) => {
    const times = [before, after].map((of) => milliseconds(medianOf(of)));
    const text = interval?.map((bound) => bound.toFixed(3)).join('–') ?? '–';
    const [low, high] = interval ?? [1, 1];
    const verdict = high < SLOWER ? 'slower' : low > 1 / SLOWER ? 'faster' : '';
    return [workload, ...times, ratio.toFixed(3), text, String(before.length), verdict];
  });
  const slower = ratios.filter(({ interval }) => interval !== undefined && interval[1] < SLOWER);
  const verdict = ratios.some(({ interval }) => interval === undefined)
    ? 'a single pass has no interval: nothing can be said of the ratios'
    : slower.length === 0
      ? `no row's interval lies below ${SLOWER}`
      : `intervals that lie below ${SLOWER}: ${slower.map(({ workload }) => workload).join(', ')}`;
  const title = `time of ${commit} over that of the working tree: above 1, the working tree is faster`;
  return {
    ratios,
    slower: slower.length > 0,
    text: [title, ...tableLines([head, ...lines], 1), verdict].join('\n'),
  };
}
