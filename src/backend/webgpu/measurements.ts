// Measurements of a device: calibration, the times of a plan's steps, tuning. They run one at a time, so that they do not disturb
// each other. An application that measures nothing does not load this file.
import { GatewiseError } from '../../core/errors.ts';
import type { Calibration } from '../../plan/calibration.ts';
import type { Plan } from '../../plan/plan.ts';
import type { StepTimes } from '../../plan/profile.ts';
import type { TuningMemory } from '../backend.ts';
import type { Choices, TunedKind } from '../tuning.ts';
import type { ExternalBuffers } from './bind_groups.ts';
import { calibrate } from './calibrate.ts';
import type { WebGPUExecutable } from './executable.ts';
import type { Launcher } from './launches.ts';
import type { Pipelines } from './pipelines.ts';
import type { Staging } from './staging.ts';
import { DeviceTimer } from './timing.ts';
import { tuneKinds, untunedKinds } from './tune.ts';

/** What measurements use of a backend. */
export interface Measured {
  readonly device: GPUDevice;
  /** The name of the adapter. */
  readonly description: string;
  readonly pipelines: Pipelines;
  readonly staging: Staging;
  readonly launcher: Launcher;
  readonly tuning: TuningMemory | undefined;
  readonly createExecutable: (plan: Plan, choices: Choices) => WebGPUExecutable;
  /** Resolves when what waits for pipelines is submitted. @throws GatewiseError, as a rejection, if the device has failed. */
  readonly settled: () => Promise<void>;
  /** Resolves when all queued work is done. */
  readonly idle: () => Promise<void>;
}

export class Measurements {
  readonly #of: Measured;
  #calibration: Promise<Calibration> | undefined;
  /** Settles with the latest measurement. */
  #latest: Promise<unknown> = Promise.resolve();

  constructor(of: Measured) {
    this.#of = of;
  }

  /** The calibration of the device, measured on the first call, again after a failure, and if asked. */
  calibrate(again = false): Promise<Calibration> {
    if (this.#calibration !== undefined && !again) return this.#calibration;
    const { device, pipelines, staging } = this.#of;
    const result = this.#exclusively((timer) => calibrate(device, pipelines, staging, timer));
    this.#calibration = result;
    result.catch(() => {
      if (this.#calibration === result) this.#calibration = undefined;
    });
    return result;
  }

  /** The time of each step of an executable. */
  async time(executable: WebGPUExecutable, external: ExternalBuffers): Promise<StepTimes> {
    const calibration = await this.calibrate();
    const { method } = calibration;
    const seconds = await this.#exclusively((timer) => executable.time(timer, method, external));
    return { method, seconds, dispatches: executable.dispatches, calibration };
  }

  /** Chooses the variants of the kinds of steps that have no tuned choice yet. */
  async tune(plan: Plan, external: ExternalBuffers): Promise<readonly TunedKind[]> {
    const { tuning, description, launcher, createExecutable } = this.#of;
    if (tuning === undefined)
      throw new GatewiseError(
        'unsupported',
        'tune: the runtime was created with tuning: false; create one without it',
      );
    return this.#exclusively(async (timer) => {
      const kinds = untunedKinds(plan, launcher, tuning.choicesFor(description));
      const tuned = await tuneKinds(timer, plan, kinds, createExecutable, external);
      tuning.add(description, Object.fromEntries(tuned.map(({ kind, variant }) => [kind, variant])));
      return tuned;
    });
  }

  /** Runs a measurement after all earlier ones have ended. */
  #exclusively<T>(measure: (timer: DeviceTimer) => Promise<T>): Promise<T> {
    const { device, staging, settled, idle } = this.#of;
    const result = this.#latest.then(async () => {
      await settled();
      const timer = new DeviceTimer(device, staging, idle);
      try {
        return await measure(timer);
      } finally {
        timer.dispose();
      }
    });
    this.#latest = result.catch(() => undefined);
    return result;
  }
}
