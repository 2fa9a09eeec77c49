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

/** The rankings of those that both runs have timed, where they differ, and who was faster in one and is slower in the other. */
function rankings(workload: Workload, before: Results, after: Results): readonly string[] {
  const timed = [before, after].map(({ rows }) => timedOf(workload, rows));
  const spreads = timed.map((run) => new Map(run.map(({ name, spread }) => [name, spread] as const)));
  const both = timed[0].map(({ name }) => name).filter((name) => spreads[1].has(name));
  const [was, is] = [before, after].map(({ rows }) =>
    ranking(
      workload,
      rows.filter(({ contestant }) => both.includes(contestant)),
    ),
  );
  if (was === is) return [];
  const isFaster = (run: number, one: string, other: string): boolean => {
    const [a, b] = [one, other].map((name) => spreads[run].get(name));
    return a !== undefined && b !== undefined && !isTied(a, b) && a.median < b.median;
  };
  const turned = both.flatMap((one) =>
    both
      .filter((other) => isFaster(0, one, other) && isFaster(1, other, one))
      .map((other) => `${workload.name}: ${one} was faster than ${other}, and is slower`),
  );
  return [`${workload.name}: ${was} before`, `${' '.repeat(workload.name.length)}  ${is} after`, ...turned];
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
  if (ranked.length === 0) ranked.push('the ranking is the same in every workload');
  else if (!ranked.some((line) => line.includes(' was faster ')))
    ranked.push('neither ranking contradicts the other');
  const parts = [
    differences(circumstances(before), circumstances(after), 'none'),
    changes.length === 0 ? ['nothing was timed in both runs'] : tableLines([head, ...changes], 2),
    differences(states(before), states(after), 'missing'),
    changes.length === 0 ? [] : ranked,
  ];
  return parts
    .filter(({ length }) => length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}
