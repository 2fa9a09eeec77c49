// Memoisation. A step that depends on frozen arguments and constants alone is memoised: it runs again only after one of these
// arguments has changed.
import type { Lowered, LoweredStep } from './lower.ts';
import type { Storage } from './placement.ts';

/** A lowered graph in which some steps are memoised. */
export interface Memoised extends Lowered {
  /** The storages of the results of these steps: their contents outlive a run, so no other storage shares their buffers. */
  readonly retainedStorages: ReadonlySet<Storage>;
}

/** Marks the memoised steps. @param frozen Arguments that rarely change, such as weights during inference. */
export function memoise(lowered: Lowered, frozen: readonly number[]): Memoised {
  const memoised = dependentOn(lowered, frozen);
  return {
    ...lowered,
    steps: lowered.steps.map((step) => Object.assign({}, step, { memoised: memoised.has(step) })),
    retainedStorages: new Set([...memoised].flatMap((step) => step.outputs.map(({ storage }) => storage))),
  };
}

/** The steps that depend on `args` and constants alone, and whose results no other step changes. */
function dependentOn({ steps, outputs }: Lowered, args: readonly number[]): Set<LoweredStep> {
  const isAmongArguments = ({ external }: Storage): boolean =>
    external?.kind === 'argument' && args.includes(external.index);
  // Storages that each run changes: its outputs, and inputs that a step overwrites in place.
  const changing = new Set<Storage>(outputs.map(({ storage }) => storage));
  for (const { op, attrs, inputs } of steps) {
    for (const { input, must } of op.inPlace?.(attrs, inputs.length) ?? [])
      if (must && input < inputs.length) changing.add(inputs[input].storage);
  }
  const changes = (storage: Storage): boolean =>
    changing.has(storage) || (storage.external !== undefined && !isAmongArguments(storage));
  const mustRun = ({ inputs, outputs: results }: LoweredStep): boolean =>
    inputs.some(({ storage }) => changes(storage)) ||
    results.some(({ storage }) => changing.has(storage) || storage.external !== undefined);
  let dependent = steps;
  // A fixed point: a step must also run if it reads the results of a step that must run, or writes to the same storage.
  for (;;) {
    const running = new Set(dependent.filter(mustRun));
    if (running.size === 0) return new Set(dependent);
    dependent = dependent.filter((step) => !running.has(step));
    for (const step of running) for (const { storage } of step.outputs) changing.add(storage);
  }
}
