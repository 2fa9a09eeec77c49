// Finds the steps that a run can skip. Steps that depend only on frozen arguments and constants are memoised: they run again only
// after such an argument changes. Steps that depend on prefetchable arguments as well can run before the others are known.
import type { Lowered, LoweredStep } from './lower.ts';
import type { Storage } from './placement.ts';

/** Steps, marked memoised or prefetchable, and the storages of their results, whose memory no other step may use. */
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

/** The steps that depend only on these arguments and constants, and whose outputs no other step overwrites. */
function dependentOn({ steps, outputs }: Lowered, args: readonly number[]): Set<LoweredStep> {
  const isAmong = ({ outside }: Storage): boolean =>
    outside?.kind === 'argument' && args.includes(outside.index);
  // Storages that every run rewrites: its results, and those that a step overwrites in place.
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
  // A step that reads the results of a step that must run, or shares a storage with it, must run too.
  for (;;) {
    const running = new Set(dependent.filter(mustRun));
    if (running.size === 0) return new Set(dependent);
    dependent = dependent.filter((step) => !running.has(step));
    for (const step of running) for (const { storage } of step.outputs) changing.add(storage);
  }
}
