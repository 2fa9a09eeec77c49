// The interface of a backend, which is all that the runtime knows of one: it allocates memory and prepares plans to run.
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
  /** Identifies the contents: no other contents of this or another buffer have the same number (see memo.ts). */
  version: number;
  /** On WebGPU. */
  readonly gpuBuffer?: GPUBuffer;
  destroy(): void;
}

/** One run of a prepared plan. */
export interface Run {
  readonly executable: Executable;
  readonly args: readonly DeviceBuffer[];
  readonly outputs: readonly DeviceBuffer[];
}

/** A prepared plan: pipelines are compiled or being compiled, and temporaries allocated. */
export interface Executable {
  /** Settles when the device has compiled all pipelines; undefined if it has, or if there are none. */
  readonly compiling?: Promise<void> | undefined;
  /**
   * Queues one run and returns at once.
   * @param args A buffer for each argument.
   * @param outputs A buffer for each output; for one that takes over a donated argument, the argument's buffer.
   * @param reads The outputs to read back. @returns A promise of the values of each, in this order.
   * @param before A run of another plan that comes first; on a GPU in the same submit.
   */
  run(
    args: readonly DeviceBuffer[],
    outputs: readonly DeviceBuffer[],
    reads: readonly number[],
    before?: Run,
  ): Promise<NumberArray>[];
  /**
   * As `run`, into commands of the application, which it submits in the order of recording. After the first call with the same
   * buffers it allocates nothing. On WebGPU. @throws GatewiseError `unsupported` in check mode.
   */
  encode?(
    target: GPUCommandEncoder | GPUComputePassEncoder,
    args: readonly DeviceBuffer[],
    outputs: readonly DeviceBuffer[],
  ): void;
  /**
   * Times each step by itself, over many repeats. Arguments, outputs and temporaries hold arbitrary values afterwards, so pass
   * buffers that nothing else uses. @param outputs A buffer for each output.
   */
  time(args: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): Promise<StepTimes>;
  /** How the backend runs each step of the plan. */
  launched(): readonly LaunchedStep[];
  /**
   * Measures the variants of each kind of step in the plan that has no tuned choice yet. This executable does not change; plans
   * prepared later use the choices. Buffers as for `time`.
   */
  tune(args: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]): Promise<readonly TunedKind[]>;
  dispose(): void;
}

/** The tuned choices of variants, by adapter. */
export interface TuningMemory {
  choicesFor(adapter: string): Choices;
  add(adapter: string, choices: Choices): void;
}

export interface CalibrateOptions {
  /** Measures again, even if the device is calibrated already. */
  readonly again?: boolean;
}

export interface Backend {
  readonly kind: string;
  /** The name of the adapter or engine, for people. */
  readonly description: string;
  /** Whether work runs beside the caller's thread, so that what is queued early is done early. */
  readonly isConcurrent?: boolean;
  /** Whether the garbage collector frees buffers that nothing refers to. */
  readonly isGarbageCollected?: boolean;
  /** Allocates `size` elements of 4 bytes, zero at first. */
  createBuffer(size: number, dtype: DType): DeviceBuffer;
  /**
   * Memory in a buffer of the application, from byte `offset` on, which `destroy` leaves as it is. On WebGPU.
   * @throws GatewiseError `argument` if kernels cannot bind it.
   */
  importBuffer?(gpuBuffer: GPUBuffer, size: number, offset: number): DeviceBuffer;
  /**
   * Tells that commands of the application use a buffer from now on: all work that waits for a pipeline is submitted, and work on
   * this buffer no longer waits, so that the application's commands come after it. On WebGPU.
   */
  share?(buffer: DeviceBuffer): void;
  write(buffer: DeviceBuffer, data: NumberArray): void;
  read(buffer: DeviceBuffer, size: number, dtype: DType): Promise<NumberArray>;
  /** A new buffer with the present contents of another. */
  copy(buffer: DeviceBuffer): DeviceBuffer;
  /** The target of plans for this backend. */
  readonly target: Target;
  prepare(plan: Plan): Executable;
  /** Measures the device. @throws GatewiseError `unsupported`, as a rejection, if there is no device. */
  calibrate(options?: CalibrateOptions): Promise<Calibration>;
  /** Resolves when all queued work is done. */
  idle(): Promise<void>;
  dispose(): void;
}
