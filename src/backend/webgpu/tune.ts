// Tuning: measures the variants of a plan's steps on the device, each step by itself, with interleaved samples.
import type { ExternalBuffers } from './bind_groups.ts';
import type { Plan } from '../../plan/plan.ts';
import { fastestOf, type Choices, type TunedKind } from '../tuning.ts';
import type { WebGPUExecutable } from './executable.ts';
import type { Variants } from './kernels/kernel.ts';
import type { Launcher } from './launches.ts';
import { minSeconds, type Clock, type DeviceTimer, type Measurement } from './timing.ts';

/** A kind of step without a tuned choice, and one step of that kind. */
interface UntunedKind extends Pick<Variants, 'kind' | 'names'> {
  readonly step: number;
}

/** The kinds of a plan's steps that have several variants and no tuned choice. */
export function untunedKinds(plan: Plan, launcher: Launcher, choices: Choices): UntunedKind[] {
  const untuned = new Map<string, UntunedKind>();
  plan.steps.forEach((step, index) => {
    const variants = launcher.variantsOf(step);
    if (variants === undefined || variants.names.length === 1) return;
    const { key, names } = variants;
    // A choice from an earlier version may name a variant that no longer exists.
    if (!names.includes(choices[key]) && !untuned.has(key))
      untuned.set(key, { kind: key, step: index, names });
  });
  return [...untuned.values()];
}

/** Samples of each variant after the first ones. */
const ROUNDS = 3;
/** A variant whose estimate is more than this many times that of another is not measured further. */
const DISCARD_RATIO = 3;
/** An estimate below this many seconds is too rough to discard a variant. */
const MIN_CONCLUSIVE_SECONDS = 0.005;

/** Measures each kind and chooses its variant. @param make Makes an executable of a plan with given choices. */
export async function tuneKinds(
  timer: DeviceTimer,
  plan: Plan,
  kinds: readonly UntunedKind[],
  make: (plan: Plan, choices: Choices) => WebGPUExecutable,
  external: ExternalBuffers,
): Promise<TunedKind[]> {
  const tuned: TunedKind[] = [];
  let clock: Clock | undefined;
  for (const { kind, step, names } of kinds) {
    // In a plan of this step alone, temporaries that other steps would write hold zeros. The step takes as long on these.
    const singleStep: Plan = { ...plan, steps: [plan.steps[step]] };
    const executables: WebGPUExecutable[] = [];
    const measurements = new Map<string, Measurement>();
    const seconds: Record<string, number> = {};
    try {
      let best = Infinity;
      for (const name of names) {
        const executable = make(singleStep, { [kind]: name });
        executables.push(executable);
        await executable.compiling;
        const repeat = executable.repeatOf(0, external);
        clock ??= await timer.chooseClock(repeat);
        seconds[name] = await timer.estimate(repeat);
        if (seconds[name] > MIN_CONCLUSIVE_SECONDS && seconds[name] > DISCARD_RATIO * best) continue;
        best = Math.min(best, seconds[name]);
        measurements.set(name, await timer.start(repeat, clock));
      }
      for (let round = 0; round < ROUNDS; round++)
        for (const measurement of measurements.values()) await timer.addSample(measurement);
      for (const [name, measurement] of measurements) seconds[name] = minSeconds(measurement);
    } finally {
      for (const executable of executables) executable.dispose();
    }
    tuned.push({ kind, variant: fastestOf(names, seconds), seconds });
  }
  return tuned;
}
