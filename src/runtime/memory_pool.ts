// The memory pool of a backend: a new tensor takes the buffer of a disposed one of the same size and dtype. So a loop that
// disposes of its tensors allocates nothing after its first iteration, and the bind groups of its buffers stay valid.
import type { Backend, DeviceBuffer } from '../backend/backend.ts';
import { sizeOf, type DType, type Shape } from '../core/shape.ts';
import { Tensor } from './tensor.ts';

export class MemoryPool {
  readonly #backend: Backend;
  readonly #free = new Map<string, DeviceBuffer[]>();
  readonly #used = new Set<DeviceBuffer>();
  #disposed = false;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** A tensor of uninitialised memory. */
  allocate(shape: Shape, dtype: DType): Tensor {
    const size = sizeOf(shape);
    const key = `${dtype} ${size}`;
    const free = this.#free.get(key) ?? [];
    this.#free.set(key, free);
    const buffer = free.pop() ?? this.#backend.createBuffer(size, dtype);
    this.#used.add(buffer);
    return new Tensor(this.#backend, buffer, shape, dtype, () => {
      this.#used.delete(buffer);
      if (this.#disposed) buffer.destroy();
      else free.push(buffer);
    });
  }

  /** Frees all memory, also that of tensors in use. */
  dispose(): void {
    this.#disposed = true;
    for (const buffer of [...[...this.#free.values()].flat(), ...this.#used]) buffer.destroy();
    this.#free.clear();
    this.#used.clear();
  }
}
