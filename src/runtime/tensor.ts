// A tensor in a backend's memory, owned by whoever holds it.
import type { Backend, DeviceBuffer } from '../backend/backend.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf, type DType, type Shape } from '../core/shape.ts';
import type { NumberArray } from '../graph/launch.ts';

/** Gives back the memory of tensors that were collected without dispose(), some time later. */
const forgotten = new FinalizationRegistry<() => void>((release) => release());

export class Tensor implements Disposable {
  readonly shape: Shape;
  readonly dtype: DType;
  /** The backend it belongs to. */
  readonly backend: Backend;
  #buffer: DeviceBuffer | undefined;
  readonly #release: (buffer: DeviceBuffer) => void;

  /** Made by a runtime; `release` takes the memory back. */
  constructor(
    backend: Backend,
    buffer: DeviceBuffer,
    shape: Shape,
    dtype: DType,
    release: (buffer: DeviceBuffer) => void,
  ) {
    this.backend = backend;
    this.shape = shape;
    this.dtype = dtype;
    this.#buffer = buffer;
    this.#release = release;
    forgotten.register(this, () => release(buffer), this);
  }

  /** The memory. @throws GatewiseError `disposed` after dispose. */
  get buffer(): DeviceBuffer {
    if (this.#buffer === undefined) {
      throw new GatewiseError(
        'disposed',
        `tensor ${show(this.shape)}: used after dispose(); keep it until its last use`,
      );
    }
    return this.#buffer;
  }

  /** All elements in row-major order: Float32Array (Float64Array on a float64 runtime) or Int32Array. */
  async read(): Promise<NumberArray> {
    return this.backend.read(this.buffer, sizeOf(this.shape), this.dtype);
  }

  /** The only element. @throws GatewiseError `shape` where there are more. */
  async item(): Promise<number> {
    if (sizeOf(this.shape) !== 1)
      throw new GatewiseError(
        'shape',
        `item: expected a tensor with one element, got shape ${show(this.shape)}; use read()`,
      );
    return (await this.read())[0];
  }

  get isDisposed(): boolean {
    return this.#buffer === undefined;
  }

  /** Gives the memory back at once; without it that happens when the tensor is collected. A second call does nothing. */
  dispose(): void {
    if (this.#buffer === undefined) return;
    forgotten.unregister(this);
    this.#release(this.#buffer);
    this.#buffer = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
