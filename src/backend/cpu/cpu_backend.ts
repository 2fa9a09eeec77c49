// The CPU backend: runs plans by the reference kernel of each op. It is the oracle for GPU backends and the fallback without one.
import { GatewiseError } from '../../core/errors.ts';
import { sizeOf, type DType, type NumberArray } from '../../core/shape.ts';
import type { Calibration } from '../../plan/calibration.ts';
import type { Plan, Step } from '../../plan/plan.ts';
import type { Region, Target } from '../../plan/target.ts';
import type { Backend, DeviceBuffer, Executable } from '../backend.ts';
import { markWritten, Memo, newVersion } from '../memo.ts';
import { referenceTarget } from './kernels/index.ts';
import type { CPUKernel, Operand } from './kernels/kernel.ts';

/** The type of f32 tensors in memory: float32 as on a GPU, or float64 for gradient checks. */
export type Arithmetic = 'float32' | 'float64';

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

/** Runs one step. @param memory The array for an index into the plan's buffers. */
export function runStep(
  step: Step,
  { kernel }: Target<CPUKernel>,
  memory: (buffer: number) => NumberArray,
): void {
  const operand = ({ buffer, view }: Region): Operand => ({ data: memory(buffer), view });
  kernel(step.op).run(step.attrs, step.inputs.map(operand), step.outputs.map(operand));
}

export class CPUBackend implements Backend {
  readonly kind = 'cpu';
  readonly isGarbageCollected = true;
  readonly description: string;
  readonly target: Target<CPUKernel>;
  readonly #arithmetic: Arithmetic;

  constructor(arithmetic: Arithmetic = 'float32', target: Target<CPUKernel> = referenceTarget) {
    this.#arithmetic = arithmetic;
    this.target = target;
    this.description = `CPU (${arithmetic} JavaScript)`;
  }

  #allocate(size: number, dtype: DType): NumberArray {
    if (dtype === 'i32') return new Int32Array(size);
    return this.#arithmetic === 'float64' ? new Float64Array(size) : new Float32Array(size);
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
    const temporaries = plan.buffers.map(({ kind, size, dtype }) =>
      kind === 'temporary' ? this.#allocate(size, dtype) : undefined,
    );
    const memo = new Memo(plan.frozen);
    const memoryOf =
      (args: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]) =>
      (buffer: number): NumberArray => {
        const { kind, index = 0 } = plan.buffers[buffer];
        return temporaries[buffer] ?? dataOf(kind === 'argument' ? args[index] : outputs[index]);
      };
    return {
      run: (args, outputs, reads, before) => {
        before?.executable.run(before.args, before.outputs, []);
        const memory = memoryOf(args, outputs);
        const stale = memo.isStale(args);
        for (const step of plan.steps) if (stale || !step.memoised) runStep(step, this.target, memory);
        memo.remember(args);
        markWritten(outputs);
        return reads.map((index) => {
          const { buffer, view } = plan.outputs[index];
          return Promise.resolve(memory(buffer).slice(view.offset, view.offset + sizeOf(view.shape)));
        });
      },
      time: (args, outputs) => {
        const memory = memoryOf(args, outputs);
        return memo.suspend(async () => ({
          method: 'clock',
          seconds: plan.steps.map((step) => secondsPer(() => runStep(step, this.target, memory))),
          dispatches: plan.steps.map(() => 1),
        }));
      },
      launched: () => plan.steps.map(() => ({ dispatches: 1 })),
      // CPU kernels have no variants.
      tune: () => Promise.resolve([]),
      dispose: () => temporaries.fill(undefined),
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

/** Milliseconds of a measurement: long against the resolution of browsers' clocks, at worst 0.1 ms. */
const MIN_MEASUREMENT = 5;

/** The mean time of an action over repeats, in seconds. */
function secondsPer(action: () => void): number {
  const start = performance.now();
  let repeats = 0;
  let elapsed = 0;
  while (elapsed < MIN_MEASUREMENT) {
    action();
    repeats++;
    elapsed = performance.now() - start;
  }
  return elapsed / repeats / 1000;
}

function dataOf(buffer: DeviceBuffer): NumberArray {
  if (!(buffer instanceof CPUBuffer))
    throw new GatewiseError('internal', 'the CPU backend was given a buffer of another backend');
  return buffer.data;
}
