// Two results files: how times changed, whether the rankings contradict each other, and what else differs.
import { tableLines } from '../src/plan/table.ts';
import { timedOf } from './columns.ts';
import type { Results } from './results.ts';
import { milliseconds } from './speed_table.ts';
import { isTied, type Summary } from './statistics.ts';
import type { Workload } from './workloads.ts';

/** What two records do not have in common, a line each. */
function differences(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  missing: string,
): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const text = (value: unknown): string => (value === undefined ? missing : String(value));
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name}: ${text(before[name])} before, ${text(after[name])} after`);
}

const circumstances = ({ adapter, environment, settings, versions }: Results): Record<string, unknown> => ({
  adapter: adapter.description,
  ...environment,
  ...settings,
  ...versions,
});

const states = ({ rows }: Results): Record<string, string> =>
  Object.fromEntries(
    rows.map(({ workload, contestant, status }) => [
      `${workload}: ${contestant}`,
      status === 'ok' ? 'timed' : status,
    ]),
  );

/** Who was faster than whom, beyond the spread, and is slower. */
function reversals(workload: Workload, before: Results, after: Results): readonly string[] {
  const later = timedOf(workload, after.rows);
  const isLess = (a: Summary, b: Summary): boolean => !isTied(a, b) && a.median < b.median;
  const timed = timedOf(workload, before.rows).flatMap(({ name, spread: was }) => {
    const is = later.find((one) => one.name === name)?.spread;
    return is === undefined ? [] : [{ name, was, is }];
  });
  return timed.flatMap((one) =>
    timed
      .filter((other) => isLess(one.was, other.was) && isLess(other.is, one.is))
      .map((other) => `${workload.name}: ${one.name} was faster than ${other.name}, and is slower`),
  );
}

export function compare(before: Results, after: Results): string {
  const changes = before.workloads.flatMap((workload) => {
    const later = timedOf(workload, after.rows);
    return timedOf(workload, before.rows).flatMap(({ name, spread }) => {
      const other = later.find((one) => one.name === name)?.spread;
      if (other === undefined) return [];
      const [was, is] = [spread.median, other.median];
      const beyond = isTied(spread, other) ? '' : 'beyond the spread';
      return [[workload.name, name, milliseconds(was), milliseconds(is), (is / was).toFixed(2), beyond]];
    });
  });
  const head = ['workload', 'contestant', 'before, ms', 'after, ms', 'after / before', ''];
  const reversed = before.workloads.flatMap((workload) => reversals(workload, before, after));
  if (reversed.length === 0) reversed.push('neither ranking contradicts the other');
  const parts = [
    differences(circumstances(before), circumstances(after), 'none'),
    changes.length === 0 ? ['nothing was timed in both runs'] : tableLines([head, ...changes], 2),
    differences(states(before), states(after), 'missing'),
    changes.length === 0 ? [] : reversed,
  ];
  return parts
    .filter(({ length }) => length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}
