// Buffers that were given back, for the next tensor of the same size: a loop that disposes of what it made allocates
// nothing after its first turn, and the bind groups of its buffers stay valid.
import type { Backend, DeviceBuffer } from '../backend/backend.ts';
import type { DType } from '../core/shape.ts';

export class MemoryPool {
  readonly #backend: Backend;
  readonly #free = new Map<string, DeviceBuffer[]>();
  readonly #lent = new Set<DeviceBuffer>();
  #closed = false;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  take(size: number, dtype: DType): DeviceBuffer {
    const buffer = this.#free.get(`${dtype} ${size}`)?.pop() ?? this.#backend.createBuffer(size, dtype);
    this.#lent.add(buffer);
    return buffer;
  }

  give(buffer: DeviceBuffer, dtype: DType): void {
    this.#lent.delete(buffer);
    if (this.#closed) {
      buffer.destroy();
      return;
    }
    const key = `${dtype} ${buffer.size}`;
    const list = this.#free.get(key) ?? [];
    list.push(buffer);
    this.#free.set(key, list);
  }

  /** Frees what was given back and what is still lent. */
  dispose(): void {
    this.#closed = true;
    for (const buffer of [...[...this.#free.values()].flat(), ...this.#lent]) buffer.destroy();
    this.#free.clear();
    this.#lent.clear();
  }
}
