// What a backend does: memory, and plans made ready to run. The runtime knows no more than this.
import type { DType, NumberArray } from '../core/shape.ts';
import type { Calibration } from '../plan/calibration.ts';
import type { Plan } from '../plan/plan.ts';
import type { LaunchedStep } from '../plan/print.ts';
import type { StepTimes } from '../plan/profile.ts';
import type { Target } from '../plan/target.ts';
import type { Choices, TunedKind } from './tuning.ts';

/** Memory of a backend. */
export interface DeviceBuffer {
  /** Elements of 4 bytes. */
  readonly size: number;
  /** A number that no other contents have, in this buffer or in another (see memo.ts). */
  version: number;
  destroy(): void;
}

/** A plan made ready: pipelines compiled, temporaries allocated. */
export interface Executable {
  /**
   * Queues one run and returns at once.
   * @param args a buffer per argument. @param outputs a buffer per output that is not a donated argument.
   * @param reads outputs whose values are wanted: a promise each, in order.
   */
  run(
    args: readonly DeviceBuffer[],
    outputs: readonly DeviceBuffer[],
    reads: readonly number[],
  ): Promise<NumberArray>[];
  /**
   * Prefetch: queues the steps that depend on frozen and prefetchable arguments alone. The next run reuses their results if
   * those arguments are unchanged and recomputes them otherwise. Errors surface in that run.
   */
  prefetch(args: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): void;
  /**
   * Times each step on its own, over and over in memory that nobody else uses: arguments, outputs and temporaries hold
   * nothing of use afterwards. @param outputs as for `run`, but one for each.
   */
  time(args: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): Promise<StepTimes>;
  /** How each step of the plan is run. */
  launched(): readonly LaunchedStep[];
  /**
   * Finds out in which variant steps of the plan's kinds are fastest, of which nothing is known yet. This executable stays
   * what it is; what is prepared afterwards goes by it. Memory as for `time`.
   */
  tune(args: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): Promise<readonly TunedKind[]>;
  dispose(): void;
}

/** What was found out about variants, by adapter. */
export interface TuningMemory {
  choicesFor(adapter: string): Choices;
  add(adapter: string, found: Choices): void;
}

export interface CalibrateOptions {
  /** Measure anew instead of giving what was measured before. */
  readonly again?: boolean;
}

export interface Backend {
  readonly kind: string;
  /** What it runs on, for people. */
  readonly description: string;
  createBuffer(size: number, dtype: DType): DeviceBuffer;
  write(buffer: DeviceBuffer, data: NumberArray): void;
  read(buffer: DeviceBuffer, size: number, dtype: DType): Promise<NumberArray>;
  /** Memory of its own with the same contents as of now. */
  copy(buffer: DeviceBuffer): DeviceBuffer;
  /** What plans for this backend are made for. */
  readonly target: Target;
  prepare(plan: Plan): Executable;
  /** What the device can do. @throws GatewiseError `unsupported` (as a rejection) where there is no device. */
  calibrate(options?: CalibrateOptions): Promise<Calibration>;
  /** Resolves when all that was queued is done. */
  idle(): Promise<void>;
  dispose(): void;
}
