// A profile: the measured time of each step of a plan, and the least possible time.
import { floorSeconds, type Bound, type Calibration } from './calibration.ts';
import type { Plan } from './plan.ts';

/** A backend's measurements of a plan's steps. */
export interface StepTimes {
  /** The clock: device timestamps, slopes of the wall clock over repeats, or on the CPU the wall clock alone. */
  readonly method: 'timestamps' | 'slopes' | 'clock';
  /** Seconds per run of each step. */
  readonly seconds: readonly number[];
  /** Launches per step; on the CPU the number that a GPU would use. */
  readonly dispatches: readonly number[];
  /** Calibration of the device; undefined on the CPU. */
  readonly calibration?: Calibration;
}

export interface ProfileStep {
  readonly label: string;
  /** The op's name. */
  readonly op: string;
  /** Memoised: runs first of all and again when a frozen argument changes, not in each run. */
  readonly memoised: boolean;
  /** Prefetchable: can run before all arguments of a run are known, and then adds nothing to its latency. */
  readonly prefetchable: boolean;
  /** Kernel launches; on the CPU the number that a GPU would use. */
  readonly dispatches: number;
  readonly flop: number;
  /** Bytes read and written, each tensor once. */
  readonly bytes: number;
  /** Seconds per run of the step, from repeated runs. */
  readonly seconds: number;
  /** The floor by the runtime's calibration (see `floorSeconds`); undefined on the CPU, as are the fields below. */
  readonly floorSeconds?: number;
  readonly bound?: Bound;
  /** ρ = floorSeconds / seconds: 1 is the device's limit. */
  readonly rho?: number;
}

export interface Profile {
  readonly steps: readonly ProfileStep[];
  /** Total of the steps that are not memoised. A run takes a round trip more. */
  readonly seconds: number;
  readonly method: StepTimes['method'];
  /** Name of the device, for display. */
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
