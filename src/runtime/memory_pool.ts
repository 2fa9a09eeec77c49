// Buffers that were given back, for the next tensor of the same size: a loop that disposes of what it made allocates
// nothing after its first turn, and the bind groups of its buffers stay valid.
import type { Backend, DeviceBuffer } from '../backend/backend.ts';
import type { DType } from '../core/shape.ts';

export class MemoryPool {
  readonly #backend: Backend;
  readonly #free = new Map<string, DeviceBuffer[]>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  take(size: number, dtype: DType): DeviceBuffer {
    return this.#free.get(`${dtype} ${size}`)?.pop() ?? this.#backend.createBuffer(size, dtype);
  }

  give(buffer: DeviceBuffer, dtype: DType): void {
    const key = `${dtype} ${buffer.size}`;
    const list = this.#free.get(key) ?? [];
    list.push(buffer);
    this.#free.set(key, list);
  }

  dispose(): void {
    for (const list of this.#free.values()) list.forEach((buffer) => buffer.destroy());
    this.#free.clear();
  }
}
