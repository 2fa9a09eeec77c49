// The memory pool of a backend: a new tensor takes the buffer of a disposed one of the same size and dtype. So a loop that
// disposes of its tensors allocates nothing after its first iteration, and the bind groups of its buffers stay valid.
import type { Backend, DeviceBuffer } from '../backend/backend.ts';
import { sizeOf, type DType, type Shape } from '../core/shape.ts';
import { Tensor } from './tensor.ts';

/** Free memory that stays in the pool in any case, in bytes. */
const MIN_FREE_BYTES = 16 * 2 ** 20;

const bytesOf = ({ size }: DeviceBuffer): number => 4 * size;

export class MemoryPool {
  readonly #backend: Backend;
  readonly #limit: number | undefined;
  /** The free buffers of each size and dtype; the one that was freed last is at the end. */
  readonly #free = new Map<string, DeviceBuffer[]>();
  /** All free buffers with their keys, in the order in which they were freed. */
  readonly #order = new Map<DeviceBuffer, string>();
  readonly #used = new Set<DeviceBuffer>();
  #freeBytes = 0;
  #usedBytes = 0;
  /** The most bytes that were in use at once. */
  #peakBytes = 0;
  #disposed = false;

  /** @param limit The most bytes of free buffers. Default: as many as were ever in use at once, and at least 16 MiB. */
  constructor(backend: Backend, limit?: number) {
    this.#backend = backend;
    this.#limit = limit;
  }

  /** A tensor of uninitialised memory. */
  allocate(shape: Shape, dtype: DType): Tensor {
    const size = sizeOf(shape);
    if (this.#backend.isGarbageCollected === true) {
      const own = this.#backend.createBuffer(size, dtype);
      return new Tensor(this.#backend, own, shape, dtype);
    }
    const key = `${dtype} ${size}`;
    const buffer = this.#take(key) ?? this.#backend.createBuffer(size, dtype);
    this.#used.add(buffer);
    this.#usedBytes += bytesOf(buffer);
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
    return new Tensor(this.#backend, buffer, shape, dtype, () => {
      this.#used.delete(buffer);
      this.#usedBytes -= bytesOf(buffer);
      if (this.#disposed) buffer.destroy();
      else this.#give(key, buffer);
    });
  }

  #take(key: string): DeviceBuffer | undefined {
    const buffer = this.#free.get(key)?.pop();
    if (buffer === undefined) return undefined;
    this.#order.delete(buffer);
    this.#freeBytes -= bytesOf(buffer);
    return buffer;
  }

  /** Makes a buffer free, and destroys those that were freed first while there are too many bytes. */
  #give(key: string, buffer: DeviceBuffer): void {
    const alike = this.#free.get(key) ?? [];
    this.#free.set(key, alike);
    alike.push(buffer);
    this.#order.set(buffer, key);
    this.#freeBytes += bytesOf(buffer);
    const limit = this.#limit ?? Math.max(MIN_FREE_BYTES, this.#peakBytes);
    for (const [oldest, itsKey] of this.#order) {
      if (this.#freeBytes <= limit) break;
      this.#order.delete(oldest);
      const others = (this.#free.get(itsKey) ?? []).filter((other) => other !== oldest);
      if (others.length === 0) this.#free.delete(itsKey);
      else this.#free.set(itsKey, others);
      this.#freeBytes -= bytesOf(oldest);
      oldest.destroy();
    }
  }

  /** Frees all memory, also that of tensors in use. */
  dispose(): void {
    this.#disposed = true;
    for (const buffer of [...this.#order.keys(), ...this.#used]) buffer.destroy();
    this.#free.clear();
    this.#order.clear();
    this.#used.clear();
  }
}
