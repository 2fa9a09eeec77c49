// The interface of a backend: memory, and prepared plans. The runtime depends on nothing else.
import type { DType, NumberArray } from '../core/shape.ts';
import type { Calibration } from '../plan/calibration.ts';
import type { Plan } from '../plan/plan.ts';
import type { LaunchedStep } from '../plan/print.ts';
import type { StepTimes } from '../plan/profile.ts';
import type { Target } from '../plan/target.ts';
import type { Choices, TunedKind } from './tuning.ts';

/** A backend's memory. */
export interface DeviceBuffer {
  /** Elements of 4 bytes. */
  readonly size: number;
  /** A number unique to these contents, across all buffers (see memo.ts). */
  version: number;
  destroy(): void;
}

/** A prepared plan: pipelines compiled, temporaries allocated. */
export interface Executable {
  /**
   * Queues one run and returns at once.
   * @param args One buffer per argument. @param outputs One buffer per output that is not a donated argument.
   * @param reads Outputs to read back: returns a promise for each, in order.
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
   * Times each step alone and repeatedly, in memory that nothing else uses: arguments, outputs and temporaries have undefined
   * contents afterwards. @param outputs One buffer per output.
   */
  time(args: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): Promise<StepTimes>;
  /** How the backend runs each step. */
  launched(): readonly LaunchedStep[];
  /**
   * Measures the fastest variants for the plan's kinds of steps that are not tuned yet. This executable is unchanged; plans
   * prepared later use the results. Memory as for `time`.
   */
  tune(args: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): Promise<readonly TunedKind[]>;
  dispose(): void;
}

/** Tuning results, by adapter. */
export interface TuningMemory {
  choicesFor(adapter: string): Choices;
  add(adapter: string, found: Choices): void;
}

export interface CalibrateOptions {
  /** Measure again instead of returning an earlier result. */
  readonly again?: boolean;
}

export interface Backend {
  readonly kind: string;
  /** Name of the device, for display. */
  readonly description: string;
  createBuffer(size: number, dtype: DType): DeviceBuffer;
  write(buffer: DeviceBuffer, data: NumberArray): void;
  read(buffer: DeviceBuffer, size: number, dtype: DType): Promise<NumberArray>;
  /** A new buffer with a copy of the current contents. */
  copy(buffer: DeviceBuffer): DeviceBuffer;
  /** The target that plans for this backend are made for. */
  readonly target: Target;
  prepare(plan: Plan): Executable;
  /** The device's calibration. @throws GatewiseError `unsupported` (as a rejection) without a device. */
  calibrate(options?: CalibrateOptions): Promise<Calibration>;
  /** Resolves when all queued work is done. */
  idle(): Promise<void>;
  dispose(): void;
}
