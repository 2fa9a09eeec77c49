// A third backend, as an example: float32 over typed arrays, with its own kernels for two ops. It runs all others by the
// reference over the same memory.
import type { Backend, DeviceBuffer, Executable } from '../../src/backend/backend.ts';
import { runStep } from '../../src/backend/cpu/cpu_backend.ts';
import { hostTarget, referenceKernels } from '../../src/backend/cpu/kernels/index.ts';
import { markWritten, newVersion } from '../../src/backend/memo.ts';
import { sizeOf, type DType, type NumberArray } from '../../src/core/shape.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { elementwise, matmul } from './kernels.ts';

class ArrayBufferOf implements DeviceBuffer {
  version = newVersion();
  readonly data: NumberArray;

  constructor(data: NumberArray) {
    this.data = data;
  }

  get size(): number {
    return this.data.length;
  }

  destroy(): void {
    // The garbage collector frees arrays.
  }
}

const dataOf = (buffer: DeviceBuffer): NumberArray => (buffer as ArrayBufferOf).data;
const allocate = (size: number, dtype: DType): NumberArray =>
  dtype === 'i32' ? new Int32Array(size) : new Float32Array(size);

export class Float32Backend implements Backend {
  readonly kind = 'float32';
  readonly description = 'float32 arrays';
  readonly target = hostTarget([...referenceKernels, matmul, elementwise]);

  createBuffer(size: number, dtype: DType): DeviceBuffer {
    return new ArrayBufferOf(allocate(size, dtype));
  }

  write(buffer: DeviceBuffer, data: NumberArray): void {
    dataOf(buffer).set(data);
    markWritten([buffer]);
  }

  read(buffer: DeviceBuffer, size: number): Promise<NumberArray> {
    return Promise.resolve(dataOf(buffer).slice(0, size));
  }

  copy(buffer: DeviceBuffer): DeviceBuffer {
    return new ArrayBufferOf(dataOf(buffer).slice());
  }

  prepare(plan: Plan): Executable {
    const temporaries = plan.buffers.map(({ size, dtype }) => allocate(size, dtype));
    return {
      run: (args, outputs, reads, before) => {
        before?.executable.run(before.args, before.outputs, []);
        const memory = (buffer: number): NumberArray => {
          const { kind, index = 0 } = plan.buffers[buffer];
          if (kind === 'temporary') return temporaries[buffer];
          return dataOf(kind === 'argument' ? args[index] : outputs[index]);
        };
        for (const step of plan.steps) runStep(step, this.target, memory);
        markWritten(outputs);
        return reads.map((output) => {
          const { buffer, view } = plan.outputs[output];
          return Promise.resolve(memory(buffer).slice(view.offset, view.offset + sizeOf(view.shape)));
        });
      },
      time: () => Promise.reject(new Error('the float32 backend times nothing')),
      launched: () => plan.steps.map(() => ({ dispatches: 1 })),
      tune: () => Promise.resolve([]),
      dispose: () => undefined,
    };
  }

  calibrate(): Promise<never> {
    return Promise.reject(new Error('the float32 backend measures nothing'));
  }

  idle(): Promise<void> {
    return Promise.resolve();
  }

  dispose(): void {
    // The garbage collector frees arrays.
  }
}
