// Which steps need not run each time: those whose results follow from constants and from arguments that rarely change. And
// which may run early, before a run's other arguments are known: those that follow from arguments that are.
import type { Lowered, LoweredStep } from './lower.ts';
import type { Storage } from './place.ts';

/** Steps, some of which are kept or early, and the memory of those, which nothing else may use. */
export interface Keeping extends Lowered {
  readonly keptStorages: ReadonlySet<Storage>;
}

/**
 * @param settled arguments that hold the same from run to run, as a rule.
 * @param known arguments that are there before the others of a run.
 */
export function keep(lowered: Lowered, settled: readonly number[], known: readonly number[]): Keeping {
  const { steps } = lowered;
  const kept = followFrom(lowered, settled);
  const apart = known.length === 0 ? kept : followFrom(lowered, [...settled, ...known]);
  return {
    ...lowered,
    steps: steps.map((step) => withKind(step, kept.has(step), apart.has(step))),
    keptStorages: new Set([...apart].flatMap((step) => step.outputs.map(({ storage }) => storage))),
  };
}

function withKind(step: LoweredStep, kept: boolean, follows: boolean): LoweredStep {
  if (kept) return { ...step, kept };
  return follows ? { ...step, early: true } : step;
}

/** Steps whose results follow from these arguments and from constants alone, in memory of their own. */
function followFrom({ steps, outputs }: Lowered, settled: readonly number[]): Set<LoweredStep> {
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
  let following = steps;
  // What is written beside something that changes, or read from it, changes too.
  for (;;) {
    const running = following.filter(mustRun);
    if (running.length === 0) break;
    following = following.filter((step) => !running.includes(step));
    for (const step of running) for (const { storage } of step.outputs) fresh.add(storage);
  }
  return new Set(following);
}
