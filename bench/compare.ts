// Two results files: how times changed, whether the ranking stayed, and what else differs.
import { tableLines } from '../src/plan/table.ts';
import { ranking, timedOf } from './columns.ts';
import type { Results } from './results.ts';
import { milliseconds } from './speed_table.ts';
import { isTied } from './statistics.ts';
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

/** The rankings of the contestants that both runs have timed, where they differ, and pairs in which they contradict. */
function rankings(workload: Workload, before: Results, after: Results): readonly string[] {
  const [was, is] = [before, after].map(({ rows }) => timedOf(workload, rows));
  const both = was.filter(({ name }) => is.some((other) => other.name === name)).map(({ name }) => name);
  const rank = ({ rows }: Results): string =>
    ranking(
      workload,
      rows.filter(({ contestant }) => both.includes(contestant)),
    );
  if (rank(before) === rank(after)) return [];
  // In both runs their spreads are apart, and the other one is faster.
  const turned = both.flatMap((faster, i) =>
    both
      .slice(i + 1)
      .filter((slower) => {
        const apart = [was, is].every((run) => {
          const [a, b] = [faster, slower].map((name) => run.find((one) => one.name === name)?.spread);
          return a !== undefined && b !== undefined && !isTied(a, b);
        });
        const order = is.map(({ name }) => name);
        return apart && order.indexOf(slower) < order.indexOf(faster);
      })
      .map((slower) => `${workload.name}: ${faster} was faster than ${slower}, and is slower`),
  );
  return [
    `${workload.name}: ${rank(before)} before`,
    `${' '.repeat(workload.name.length)}  ${rank(after)} after`,
    ...turned,
  ];
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
  const ranked = before.workloads.flatMap((workload) => rankings(workload, before, after));
  const parts = [
    differences(circumstances(before), circumstances(after), 'none'),
    changes.length === 0 ? ['nothing was timed in both runs'] : tableLines([head, ...changes], 2),
    differences(states(before), states(after), 'missing'),
    changes.length === 0
      ? []
      : ranked.length === 0
        ? ['the ranking is the same in every workload']
        : [
            ...ranked,
            ...(ranked.some((line) => line.includes(' was faster '))
              ? []
              : ['neither ranking contradicts the other']),
          ],
  ];
  return parts
    .filter(({ length }) => length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}
