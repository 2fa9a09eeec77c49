// Finds out which variants of a plan's steps are fastest on the device: each runs on its own, in turns with the others.
import type { WebGPUBuffer } from './buffers.ts';
import type { Plan } from '../../plan/plan.ts';
import { fastestOf, type Choices, type TunedKind } from '../tuning.ts';
import type { WebGPUExecutable } from './executable.ts';
import type { Launcher } from './launches.ts';
import { secondsOf, type Clock, type Stopwatch, type Timing } from './stopwatch.ts';

/** A kind of step for which no choice was made, and a step of that kind. */
export interface OpenKind {
  readonly kind: string;
  readonly step: number;
  /** The default first. */
  readonly names: readonly [string, ...string[]];
}

/** Each kind of a plan's steps that has several variants and no choice, once. */
export function openKinds(plan: Plan, launcher: Launcher, choices: Choices): OpenKind[] {
  const open = new Map<string, OpenKind>();
  plan.steps.forEach((step, index) => {
    const variants = launcher.variantsOf(step);
    if (variants === undefined || variants.names.length === 1) return;
    const { key, names } = variants;
    // A choice that is no variant any more is none.
    if (!names.includes(choices[key]) && !open.has(key)) open.set(key, { kind: key, step: index, names });
  });
  return [...open.values()];
}

/** Runs of each variant after those that told how many turns make one. */
const ROUNDS = 3;
/** A variant that takes so many times as long as another is not looked at twice. */
const HOPELESS = 3;
/** Seconds from which on a single turn tells that much. */
const TELLING = 0.005;

/** @param make an executable of a plan, with these choices. */
export async function tuneKinds(
  stopwatch: Stopwatch,
  plan: Plan,
  open: readonly OpenKind[],
  make: (plan: Plan, choices: Choices) => WebGPUExecutable,
  args: readonly WebGPUBuffer[],
  outputs: readonly WebGPUBuffer[],
): Promise<TunedKind[]> {
  const tuned: TunedKind[] = [];
  let clock: Clock | undefined;
  for (const { kind, step, names } of open) {
    // Of this step alone: temporaries that others would have filled hold zeros, for which it takes as long.
    const alone: Plan = { ...plan, steps: [plan.steps[step]] };
    const made: WebGPUExecutable[] = [];
    const timings = new Map<string, Timing>();
    const seconds: Record<string, number> = {};
    try {
      let best = Infinity;
      for (const name of names) {
        const executable = make(alone, { [kind]: name });
        made.push(executable);
        const repeat = executable.repeatOf(0, args, outputs);
        clock ??= await stopwatch.clockFor(repeat);
        seconds[name] = await stopwatch.once(repeat);
        if (seconds[name] > TELLING && seconds[name] > HOPELESS * best) continue;
        best = Math.min(best, seconds[name]);
        timings.set(name, await stopwatch.start(repeat, clock));
      }
      for (let round = 0; round < ROUNDS; round++)
        for (const timing of timings.values()) await stopwatch.again(timing);
      // The shortest: what else runs on the machine can only add.
      for (const [name, timing] of timings) seconds[name] = Math.min(...secondsOf(timing));
    } finally {
      for (const executable of made) executable.dispose();
    }
    tuned.push({ kind, variant: fastestOf(names, seconds), seconds });
  }
  return tuned;
}
