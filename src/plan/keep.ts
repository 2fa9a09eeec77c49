// Which steps need not run each time: those whose results follow from constants and from arguments that rarely change.
import type { Lowered, LoweredStep } from './lower.ts';
import type { Storage } from './place.ts';

/** Steps, some of which are kept, and the memory of those, which nothing else may use. */
export interface Keeping extends Lowered {
  readonly keptStorages: ReadonlySet<Storage>;
}

/** @param settled arguments that hold the same from run to run, as a rule. */
export function keep(lowered: Lowered, settled: readonly number[]): Keeping {
  const { steps, outputs } = lowered;
  const isSettled = ({ outside }: Storage): boolean =>
    outside?.kind === 'argument' && settled.includes(outside.index);
  // What a run must make anew: what it hands out, and what a step works on in place.
  const fresh = new Set<Storage>(outputs.map(({ storage }) => storage));
  for (const { op, attrs, inputs } of steps) {
    for (const { input, must } of op.inPlace?.(attrs) ?? [])
      if (must && input < inputs.length) fresh.add(inputs[input].storage);
  }
  const changes = (storage: Storage): boolean =>
    fresh.has(storage) || (storage.outside !== undefined && !isSettled(storage));
  const mustRun = ({ inputs, outputs: made }: LoweredStep): boolean =>
    inputs.some(({ storage }) => changes(storage)) ||
    made.some(({ storage }) => fresh.has(storage) || storage.outside !== undefined);
  let kept = steps;
  // What is written beside something that changes, or read from it, changes too.
  for (;;) {
    const running = kept.filter(mustRun);
    if (running.length === 0) break;
    kept = kept.filter((step) => !running.includes(step));
    for (const step of running) for (const { storage } of step.outputs) fresh.add(storage);
  }
  const marked = new Set(kept);
  return {
    ...lowered,
    steps: steps.map((step) => (marked.has(step) ? asKept(step) : step)),
    keptStorages: new Set(kept.flatMap((step) => step.outputs.map(({ storage }) => storage))),
  };
}

function asKept(step: LoweredStep): LoweredStep {
  return { ...step, kept: true };
}
