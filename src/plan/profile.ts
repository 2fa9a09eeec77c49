// A profile: the measured time of each step of a plan next to its floor, the lower bound by the device's calibration.
import { floorSeconds, type Bound, type Calibration } from './calibration.ts';
import type { Plan } from './plan.ts';

/** What a backend measures of the steps of a plan, in their order. */
export interface StepTimes {
  /** The clock: the device's timestamps, slopes of the wall clock over repeats, or on the CPU the wall clock itself. */
  readonly method: 'timestamps' | 'slopes' | 'clock';
  /** The time of one run of each step. */
  readonly seconds: readonly number[];
  /** Kernel launches of each step; 1 on the CPU. */
  readonly dispatches: readonly number[];
  /** The calibration of the device; undefined on the CPU. */
  readonly calibration?: Calibration;
}

/** A step of a profiled plan. */
export interface ProfileStep {
  readonly label: string;
  /** The op's name. */
  readonly op: string;
  /** The step runs in the first run, and again only after a frozen argument has changed. */
  readonly memoised: boolean;
  /** Kernel launches; 1 on the CPU. */
  readonly dispatches: number;
  readonly flop: number;
  /** Bytes read and written, each tensor once. */
  readonly bytes: number;
  /** The time of one run of the step, measured over repeats. */
  readonly seconds: number;
  /** The lower bound of `seconds` by the runtime's calibration; this, `bound` and `rho` are undefined on the CPU. */
  readonly floorSeconds?: number;
  /** The resource that sets the floor. */
  readonly bound?: Bound;
  /** floorSeconds / seconds: 1 is the speed of the device. */
  readonly rho?: number;
}

export interface Profile {
  readonly steps: readonly ProfileStep[];
  /** The sum over the steps that are not memoised. A run takes one round trip more. */
  readonly seconds: number;
  readonly method: StepTimes['method'];
  /** The description of the backend's device. */
  readonly device: string;
}

/** The profile of a plan from measured times. @param device The description of the backend's device. */
export function profileOf(plan: Plan, times: StepTimes, device: string): Profile {
  const { method, calibration } = times;
  const steps = plan.steps.map(({ label, op, cost, memoised }, i): ProfileStep => {
    const [seconds, dispatches] = [times.seconds[i], times.dispatches[i]];
    const measured = { label, op: op.name, memoised, dispatches, ...cost, seconds };
    if (calibration === undefined) return measured;
    const floor = floorSeconds(measured, calibration);
    return { ...measured, floorSeconds: floor.seconds, bound: floor.bound, rho: floor.seconds / seconds };
  });
  const seconds = steps.reduce((sum, step) => (step.memoised ? sum : sum + step.seconds), 0);
  return { steps, seconds, method, device };
}

/** The profile of plans that run one after the other. */
export function joinProfiles(profiles: readonly Profile[]): Profile {
  return {
    ...profiles[0],
    steps: profiles.flatMap(({ steps }) => steps),
    seconds: profiles.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}
