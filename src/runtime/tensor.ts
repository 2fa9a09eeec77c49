// A tensor in a backend's memory. Its owner disposes of it.
import { refuseProxy } from '../core/refuse_proxy.ts';
import type { Backend, DeviceBuffer } from '../backend/backend.ts';
import { markWritten } from '../backend/memo.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf, type DType, type Shape, type NumberArray } from '../core/shape.ts';
import { toHostTensor, type HostData, type HostTensor } from './host.ts';

/** Returns the memory of tensors that were garbage collected without dispose(). */
const collected = new FinalizationRegistry<() => void>((release) => release());

/** The two smallest and the two largest distinct elements, so that one number can be excepted; infinite if there is no second. */
export interface NumberRange {
  readonly smallest: number;
  readonly secondSmallest: number;
  readonly secondLargest: number;
  readonly largest: number;
}

/** Numbers in a backend's memory. A `Value` stands for a tensor while a function is traced. */
export class Tensor implements Disposable {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly #backend: Backend;
  #buffer: DeviceBuffer | undefined;
  #range: NumberRange | undefined;
  readonly #release: (() => void) | undefined;

  static {
    refuseProxy(this, 'tensor', (object) => #buffer in object);
  }

  /**
   * Made by a runtime. @param release Takes the memory back. Default: the garbage collector or the application frees it.
   * @internal
   */
  constructor(backend: Backend, buffer: DeviceBuffer, shape: Shape, dtype: DType, release?: () => void) {
    this.#backend = backend;
    this.shape = shape;
    this.dtype = dtype;
    this.#buffer = buffer;
    this.#release = release;
    if (release !== undefined) collected.register(this, release, this);
  }

  /** The backend it belongs to; an accessor, so that a Proxy of a tensor is refused before backends are compared. @internal */
  get backend(): Backend {
    return this.#backend;
  }

  /** The memory. @throws GatewiseError `disposed` after dispose. @internal */
  get buffer(): DeviceBuffer {
    if (this.#buffer === undefined) {
      throw new GatewiseError(
        'disposed',
        `tensor ${show(this.shape)}: used after dispose(); keep it until its last use`,
      );
    }
    return this.#buffer;
  }

  /**
   * The buffer that holds the elements, in row-major order, 4 bytes each: from byte 0 on, or of `tensorFrom` from its offset. It is
   * the runtime's: bind or copy it until `dispose`, and call `markWritten` if other commands write it.
   * @throws GatewiseError `unsupported` on the CPU.
   */
  get gpuBuffer(): GPUBuffer {
    const { gpuBuffer } = this.buffer;
    if (gpuBuffer === undefined)
      throw new GatewiseError(
        'unsupported',
        `tensor ${show(this.shape)}: has no GPUBuffer on ${this.backend.description}; read() it`,
      );
    this.backend.share?.(this.buffer);
    return gpuBuffer;
  }

  /** Tells that commands of the application write the elements, so that no result is reused that depends on their old values. */
  markWritten(): void {
    markWritten([this.buffer]);
    this.#range = undefined;
  }

  /** The range of i32 elements that the host wrote; undefined for f32 and for what a device has computed. @internal */
  get range(): NumberRange | undefined {
    return this.#range;
  }

  /**
   * Writes all elements, in row-major order.
   * @throws GatewiseError `shape` for more or fewer numbers, `dtype` for other than whole numbers in an i32 tensor.
   */
  write(numbers: HostData): void {
    const { data } = toHostTensor(`write to tensor ${show(this.shape)}`, numbers, this.shape, this.dtype);
    this.backend.write(this.buffer, data);
    if (this.dtype === 'i32') this.#range = rangeOf(data);
  }

  /** All elements in row-major order: Float32Array (Float64Array on a float64 runtime) or Int32Array. */
  async read(): Promise<NumberArray> {
    return this.backend.read(this.buffer, sizeOf(this.shape), this.dtype);
  }

  /** The only element. @throws GatewiseError `shape` if there are more. */
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

  /** Returns the memory at once. Otherwise it is returned when the tensor is garbage collected. A second call does nothing. */
  dispose(): void {
    if (this.#buffer === undefined) return;
    collected.unregister(this);
    this.#release?.();
    this.#buffer = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function rangeOf(data: NumberArray): NumberRange {
  let [smallest, largest] = [Infinity, -Infinity];
  let [secondSmallest, secondLargest] = [Infinity, -Infinity];
  for (const x of data) {
    if (x < smallest) [smallest, secondSmallest] = [x, smallest];
    else if (x > smallest && x < secondSmallest) secondSmallest = x;
    if (x > largest) [largest, secondLargest] = [x, largest];
    else if (x < largest && x > secondLargest) secondLargest = x;
  }
  return { smallest, secondSmallest, secondLargest, largest };
}

/** The smallest and the largest element other than `value`; Infinity and -Infinity if there is none. */
export function rangeWithout(
  { smallest, secondSmallest, secondLargest, largest }: NumberRange,
  value: number | undefined,
): { readonly smallest: number; readonly largest: number } {
  return {
    smallest: smallest === value ? secondSmallest : smallest,
    largest: largest === value ? secondLargest : largest,
  };
}

/** An argument of a program. */
export type Argument = Tensor | HostTensor;

/** Whether a node of nested arguments is an argument. */
export const isArgument = (node: unknown): node is Argument =>
  node instanceof Tensor ||
  (typeof node === 'object' && node !== null && typeof (node as Partial<HostTensor>).dtype === 'string');

/** A tensor as it is; host data as shape and numbers of the wanted dtype. */
export function toArgument(what: string, value: Tensor | HostData, dtype?: DType): Argument {
  if (!(value instanceof Tensor)) return toHostTensor(what, value, undefined, dtype);
  if (dtype !== undefined && value.dtype !== dtype) {
    throw new GatewiseError('dtype', `${what}: expected ${dtype}, got a tensor of ${value.dtype}`);
  }
  return value;
}
