// Steps that need not run in each run. Those that depend on frozen arguments and constants alone are memoised: they run again
// only after such an argument has changed. Those that depend on prefetchable arguments as well may run before the others are known.
import type { Lowered, LoweredStep } from './lower.ts';
import type { Storage } from './placement.ts';

/** Steps, some of them memoised or prefetchable, and the storages of their results, whose memory nothing else may use. */
export interface Memoised extends Lowered {
  readonly ownStorages: ReadonlySet<Storage>;
}

/**
 * @param frozen Arguments that rarely change, such as weights during inference.
 * @param prefetchable Arguments that are known before the others of a run.
 */
export function memoise(
  lowered: Lowered,
  frozen: readonly number[],
  prefetchable: readonly number[],
): Memoised {
  const { steps } = lowered;
  const memoised = dependentOn(lowered, frozen);
  const early = prefetchable.length === 0 ? memoised : dependentOn(lowered, [...frozen, ...prefetchable]);
  return {
    ...lowered,
    steps: steps.map((step) => Object.assign({}, step, marksOf(memoised.has(step), early.has(step)))),
    ownStorages: new Set([...early].flatMap((step) => step.outputs.map(({ storage }) => storage))),
  };
}

function marksOf(memoised: boolean, early: boolean): Pick<LoweredStep, 'memoised' | 'prefetchable'> {
  if (memoised) return { memoised };
  return early ? { prefetchable: true } : {};
}

/** Steps that depend on these arguments and on constants alone, and write memory that no other step changes. */
function dependentOn({ steps, outputs }: Lowered, args: readonly number[]): Set<LoweredStep> {
  const isAmong = ({ outside }: Storage): boolean =>
    outside?.kind === 'argument' && args.includes(outside.index);
  // Written anew by each run: its results, and what a step overwrites in place.
  const changing = new Set<Storage>(outputs.map(({ storage }) => storage));
  for (const { op, attrs, inputs } of steps) {
    for (const { input, must } of op.inPlace?.(attrs, inputs.length) ?? [])
      if (must && input < inputs.length) changing.add(inputs[input].storage);
  }
  const changes = (storage: Storage): boolean =>
    changing.has(storage) || (storage.outside !== undefined && !isAmong(storage));
  const mustRun = ({ inputs, outputs: results }: LoweredStep): boolean =>
    inputs.some(({ storage }) => changes(storage)) ||
    results.some(({ storage }) => changing.has(storage) || storage.outside !== undefined);
  let dependent = steps;
  // A step that shares a storage with one that must run, or reads its results, must run too.
  for (;;) {
    const running = dependent.filter(mustRun);
    if (running.length === 0) return new Set(dependent);
    dependent = dependent.filter((step) => !running.includes(step));
    for (const step of running) for (const { storage } of step.outputs) changing.add(storage);
  }
}
