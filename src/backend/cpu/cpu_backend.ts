// The CPU backend runs the same plans with each op's reference kernel. It is the GPU's oracle, and the fallback without a GPU.
import { GatewiseError } from '../../core/errors.ts';
import type { DType, NumberArray } from '../../core/shape.ts';
import type { Calibration } from '../../plan/calibration.ts';
import type { Plan, Step } from '../../plan/plan.ts';
import type { Region } from '../../plan/region.ts';
import type { Backend, DeviceBuffer, Executable } from '../backend.ts';
import { markWritten, Memo, newVersion } from '../memo.ts';
import { referenceTarget, type HostTarget } from './kernels/index.ts';
import type { Operand } from './kernels/kernel.ts';

/** Precision of f32 tensors: float32 as on a GPU, or float64 for gradient checks. */
export type Precision = 'float32' | 'float64';

class CPUBuffer implements DeviceBuffer {
  readonly size: number;
  version = newVersion();
  data: NumberArray;

  constructor(data: NumberArray) {
    this.data = data;
    this.size = data.length;
  }

  destroy(): void {
    this.data = new Float32Array(0);
  }
}

/** Runs one step over arrays, indexed by the plan's buffers. */
export function runStep(step: Step, { kernel }: HostTarget, memory: (buffer: number) => NumberArray): void {
  const operand = ({ buffer, view }: Region): Operand => ({ data: memory(buffer), view });
  kernel(step.op).run(step.attrs, step.inputs.map(operand), step.outputs.map(operand));
}

export class CPUBackend implements Backend {
  readonly kind = 'cpu';
  readonly description: string;
  readonly target: HostTarget;
  readonly #precision: Precision;

  constructor(precision: Precision = 'float32', target: HostTarget = referenceTarget) {
    this.#precision = precision;
    this.target = target;
    this.description = `CPU (${precision} JavaScript)`;
  }

  #allocate(size: number, dtype: DType): NumberArray {
    if (dtype === 'i32') return new Int32Array(size);
    return this.#precision === 'float64' ? new Float64Array(size) : new Float32Array(size);
  }

  createBuffer(size: number, dtype: DType): CPUBuffer {
    return new CPUBuffer(this.#allocate(size, dtype));
  }

  write(buffer: DeviceBuffer, data: NumberArray): void {
    dataOf(buffer).set(data);
    markWritten([buffer]);
  }

  read(buffer: DeviceBuffer, size: number): Promise<NumberArray> {
    return Promise.resolve(dataOf(buffer).slice(0, size));
  }

  copy(buffer: DeviceBuffer): CPUBuffer {
    return new CPUBuffer(dataOf(buffer).slice());
  }

  prepare(plan: Plan): Executable {
    const own = plan.buffers.map(({ kind, size, dtype }) =>
      kind === 'temporary' ? this.#allocate(size, dtype) : undefined,
    );
    const memo = new Memo(
      plan.steps.some(({ memoised }) => memoised),
      plan.frozen,
    );
    type Buffers = readonly DeviceBuffer[];
    const memoryOf =
      (args: Buffers, outputs: Buffers) =>
      (buffer: number): NumberArray => {
        const { kind, index = 0 } = plan.buffers[buffer];
        return own[buffer] ?? dataOf(kind === 'argument' ? args[index] : outputs[index]);
      };
    return {
      run: (args, outputs, reads) => {
        const memory = memoryOf(args, outputs);
        const stale = memo.isStale(args);
        for (const step of plan.steps) if (stale || !step.memoised) runStep(step, this.target, memory);
        memo.remember(args);
        markWritten(outputs);
        return reads.map((index) => {
          const { buffer, view } = plan.outputs[index];
          return Promise.resolve(
            memory(buffer).slice(view.offset, view.offset + view.shape.reduce((a, b) => a * b, 1)),
          );
        });
      },
      // Prefetching gains nothing on the single thread.
      prefetch: () => undefined,
      time: (args, outputs) => {
        const memory = memoryOf(args, outputs);
        return memo.suspend(async () => ({
          method: 'clock',
          seconds: plan.steps.map((step) => secondsPer(() => runStep(step, this.target, memory))),
          dispatches: plan.steps.map(() => 1),
        }));
      },
      launched: () => plan.steps.map(() => ({ dispatches: 1 })),
      // The CPU has no variants to tune.
      tune: () => Promise.resolve([]),
      dispose: () => own.fill(undefined),
    };
  }

  calibrate(): Promise<Calibration> {
    return Promise.reject(
      new GatewiseError(
        'unsupported',
        "calibrate: measures a GPU, and this runtime is on the CPU; create one with backend: 'webgpu'",
      ),
    );
  }

  idle(): Promise<void> {
    return Promise.resolve();
  }

  dispose(): void {
    // The garbage collector frees the arrays.
  }
}

/** Repeats often enough that browsers' clock resolution, up to 0.1 ms, does not matter. */
const ENOUGH_MS = 5;

function secondsPer(action: () => void): number {
  const start = performance.now();
  let turns = 0;
  let elapsed = 0;
  while (elapsed < ENOUGH_MS) {
    action();
    turns++;
    elapsed = performance.now() - start;
  }
  return elapsed / turns / 1000;
}

function dataOf(buffer: DeviceBuffer): NumberArray {
  if (!(buffer instanceof CPUBuffer))
    throw new GatewiseError('internal', 'the CPU backend was given a buffer of another backend');
  return buffer.data;
}
