// Measures which variants of a plan's steps are fastest on the device: each variant runs alone, interleaved with the others.
import type { WebGPUBuffer } from './buffers.ts';
import type { Plan } from '../../plan/plan.ts';
import { fastestOf, type Choices, type TunedKind } from '../tuning.ts';
import type { WebGPUExecutable } from './executable.ts';
import type { Launcher } from './launches.ts';
import { secondsOf, type Clock, type Stopwatch, type Timing } from './stopwatch.ts';

/** A kind of step without a choice, and an example step. */
export interface OpenKind {
  readonly kind: string;
  readonly step: number;
  /** Variants, the default first. */
  readonly names: readonly [string, ...string[]];
}

/** The kinds of a plan's steps with several variants and no choice, once each. */
export function openKinds(plan: Plan, launcher: Launcher, choices: Choices): OpenKind[] {
  const open = new Map<string, OpenKind>();
  plan.steps.forEach((step, index) => {
    const variants = launcher.variantsOf(step);
    if (variants === undefined || variants.names.length === 1) return;
    const { key, names } = variants;
    // Ignores a choice that names a removed variant.
    if (!names.includes(choices[key]) && !open.has(key)) open.set(key, { kind: key, step: index, names });
  });
  return [...open.values()];
}

/** Runs of each variant, after those that determine the repetitions per run. */
const ROUNDS = 3;
/** A variant that takes this many times as long as the best is measured only once. */
const HOPELESS = 3;
/** The least seconds at which a single repetition is reliable enough for that. */
const TELLING = 0.005;

/** @param make Creates an executable of a plan with the given choices. */
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
    // Runs only this step: temporaries that other steps would fill contain zeros, which does not change its duration.
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
      // The minimum: other load on the machine only adds time.
      for (const [name, timing] of timings) seconds[name] = Math.min(...secondsOf(timing));
    } finally {
      for (const executable of made) executable.dispose();
    }
    tuned.push({ kind, variant: fastestOf(names, seconds), seconds });
  }
  return tuned;
}
