// A profile: what each step of a plan takes, beside the least that it could take.
import { floorSeconds, type Bound, type Calibration } from './calibration.ts';
import type { Plan } from './plan.ts';

/** What a backend finds out about the steps of a plan. */
export interface StepTimes {
  /** What told the time: the device's timestamps, slopes of the wall clock over repeats, or on the CPU the clock alone. */
  readonly method: 'timestamps' | 'slopes' | 'clock';
  /** One run of each step. */
  readonly seconds: readonly number[];
  /** Kernel launches of each step; on the CPU those that a GPU would see. */
  readonly dispatches: readonly number[];
  /** Of the device; undefined on the CPU. */
  readonly calibration?: Calibration;
}

export interface ProfileStep {
  readonly label: string;
  /** The op's name. */
  readonly op: string;
  /** It runs at first, and again when a frozen argument has changed; not in each run. */
  readonly memoised: boolean;
  /** It may run before all arguments of a run are known, and then adds nothing to the time to its results. */
  readonly prefetchable: boolean;
  /** Kernel launches; on the CPU those that a GPU would see. */
  readonly dispatches: number;
  readonly flop: number;
  /** Read and written, each tensor once. */
  readonly bytes: number;
  /** One run of the step, from repeats of it. */
  readonly seconds: number;
  /** The least that it could take, by the runtime's calibration (see `floorSeconds`); as what follows undefined on the CPU. */
  readonly floorSeconds?: number;
  readonly bound?: Bound;
  /** floorSeconds / seconds: 1 is as fast as the device can. */
  readonly rho?: number;
}

export interface Profile {
  readonly steps: readonly ProfileStep[];
  /** Of all steps that are not memoised. A run takes a round trip more. */
  readonly seconds: number;
  readonly method: StepTimes['method'];
  /** What it ran on, for people. */
  readonly device: string;
}

export function profileOf(plan: Plan, times: StepTimes, device: string): Profile {
  const { method, calibration } = times;
  const steps = plan.steps.map(({ label, op, cost, memoised, prefetchable }, i): ProfileStep => {
    const [seconds, dispatches] = [times.seconds[i], times.dispatches[i]];
    const measured = { label, op: op.name, memoised, prefetchable, dispatches, ...cost, seconds };
    if (calibration === undefined) return measured;
    const floor = floorSeconds(measured, calibration);
    return { ...measured, floorSeconds: floor.seconds, bound: floor.bound, rho: floor.seconds / seconds };
  });
  const seconds = steps.reduce((sum, step) => (step.memoised ? sum : sum + step.seconds), 0);
  return { steps, seconds, method, device };
}
