// The runtime: a backend, and all that runs on it.
import { refuseProxy } from '../core/refuse_proxy.ts';
import type { Backend, CalibrateOptions } from '../backend/backend.ts';
import type { Arithmetic } from '../backend/cpu/cpu_backend.ts';
import type { CompileProgress } from '../backend/webgpu/pipelines.ts';
import type { Staging } from '../backend/webgpu/staging.ts';
import { WebGPUBackend } from '../backend/webgpu/webgpu_backend.ts';
import { GatewiseError } from '../core/errors.ts';
import {
  flag,
  nonNegative,
  oneOf,
  option,
  optional,
  readOptions,
  seed,
  unchecked,
  withMethods,
} from '../core/options.ts';
import { checkShape, sizeOf, type DType, type Shape } from '../core/shape.ts';
import { checkLayer, type Layer } from '../nn/layer.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import type { Calibration } from '../plan/calibration.ts';
import type { Tuning } from '../backend/tuning.ts';
import { acquireDevice, type AdapterOptions } from './adapter.ts';
import { compileFunction, type Compiled } from './compile.ts';
import { toHostTensor, type HostData } from './host.ts';
import { MemoryPool } from './memory_pool.ts';
import { Net } from './net.ts';
import { ParameterLayout, weightsOf } from './parameters.ts';
import { Tensor } from './tensor.ts';
import { localStore, TuningTable, type TuningStore } from './tuning_table.ts';

export interface RuntimeOptions extends AdapterOptions {
  /**
   * Unless given: WebGPU, or the CPU if there is no adapter, as the console and `fallbackReason` say. With `webgpu` that is an
   * error.
   */
  readonly backend?: 'webgpu' | 'cpu';
  /** A device of the application. `dispose` does not destroy it. */
  readonly device?: GPUDevice;
  /** Runs every step of every plan on the CPU as well and throws if results differ. Slow; requires WebGPU. */
  readonly check?: boolean;
  /** The numbers with which the CPU backend computes: `float32` unless given, `float64` for gradient checks. */
  readonly arithmetic?: Arithmetic;
  /**
   * The most bytes of freed tensors that a GPU runtime keeps for new ones. Unless given: as many as its tensors ever had in use at
   * once, and at least 16 MiB.
   */
  readonly freeBytes?: number;
  /**
   * Called as the device compiles the pipelines of a plan, first with none compiled. The work that needs them waits meanwhile; only
   * `encode` and work on memory that the application uses too block until they are compiled: see `prepare` of gatewise/tools.
   */
  readonly onCompile?: (progress: CompileProgress) => void;
  /**
   * Where results of `tune()` are stored between visits: the page's `localStorage` unless given. False: kernels are chosen
   * by device and sizes alone, and `tune()` is refused.
   */
  readonly tuning?: false | { readonly store?: TuningStore };
}

export interface LoadOptions {
  /** Initial weights are drawn from this seed; 0 unless given. */
  readonly seed?: number;
  /** The bytes of a safetensors file with the model's parameters instead. */
  readonly weights?: Uint8Array;
  /**
   * The precision of weight matrices in products of recurrent layers and Linear, on any device; `float32` unless given.
   * Everything else, including sums, is float32. `f16` halves the memory traffic of weights and supports training: the net
   * keeps float32 weights, which gradients update and `save` writes. `int8` quarters it and is for inference.
   */
  readonly precision?: WeightPrecision;
}

const RUNTIME = {
  backend: optional(oneOf(['webgpu', 'cpu'])),
  device: optional(withMethods<GPUDevice>('a GPUDevice', 'createBuffer')),
  gpu: optional(withMethods<GPU>('a GPU such as navigator.gpu or await nodeGPU()', 'requestAdapter')),
  powerPreference: optional(oneOf(['low-power', 'high-performance'])),
  check: flag(false),
  arithmetic: oneOf(['float32', 'float64'], 'float32'),
  tuning: unchecked<RuntimeOptions['tuning']>(),
  freeBytes: optional(nonNegative()),
  onCompile: optional(
    option<NonNullable<RuntimeOptions['onCompile']>>('a function', (f) => typeof f === 'function'),
  ),
};
const TUNING = {
  store: optional(
    withMethods<TuningStore>('a store such as localStorage, with getItem and setItem', 'getItem', 'setItem'),
  ),
};
const LOAD = {
  seed: seed(0),
  weights: unchecked<Uint8Array | undefined>(),
  precision: oneOf(['float32', 'f16', 'int8'], 'float32'),
};
const TENSOR_FROM = {
  shape: option<Shape>('a list of sizes', Array.isArray),
  dtype: oneOf<DType>(['f32', 'i32'], 'f32'),
  offset: nonNegative(0),
};
const TENSOR = {
  shape: optional(option<Shape>('a list of sizes', Array.isArray)),
  dtype: optional(oneOf(['f32', 'i32'])),
};

export class Runtime implements Disposable {
  readonly backend: Backend;
  /** Why the runtime is on the CPU, if WebGPU was tried and there is none. */
  readonly fallbackReason: string | undefined;
  readonly #table: TuningTable | undefined;
  readonly #pool: MemoryPool;
  readonly #owned = new Set<Disposable>();
  #disposed = false;

  static {
    refuseProxy(this, 'runtime', (object) => #pool in object);
  }

  /** Made by `createRuntime`. @internal */
  constructor(backend: Backend, table: TuningTable | undefined, freeBytes?: number, fallbackReason?: string) {
    this.backend = backend;
    this.#table = table;
    this.fallbackReason = fallbackReason;
    this.#pool = new MemoryPool(backend, freeBytes);
  }

  /** A tensor of uninitialised memory. @internal */
  allocate(shape: Shape, dtype: DType): Tensor {
    this.#checkAlive();
    return this.#pool.allocate(shape, dtype);
  }

  /** Copies numbers to the backend. @param options.shape Default: as the data. @param options.dtype Default: see `HostData`. */
  tensor(data: HostData, options: { readonly shape?: Shape; readonly dtype?: DType } = {}): Tensor {
    const { shape, dtype } = readOptions('tensor', TENSOR, options);
    const host = toHostTensor('tensor', data, shape, dtype);
    const tensor = this.allocate(host.shape, host.dtype);
    tensor.write(host.data);
    return tensor;
  }

  /**
   * A tensor in a buffer of the application, without a copy. The application keeps the buffer alive and owns it: `dispose` leaves
   * it. Call `markWritten` of the tensor after other commands have written the buffer.
   * @param gpuBuffer On this runtime's device, with usage STORAGE; `read` also needs COPY_SRC and `write` COPY_DST.
   * @param options.dtype f32 unless given.
   * @param options.offset In bytes, a multiple of the device's minStorageBufferOffsetAlignment; 0 unless given. From there on the
   *   buffer has room for the elements, 4 bytes each, rounded up to 16 bytes.
   * @throws GatewiseError `unsupported` on the CPU, `argument` if kernels cannot bind the buffer so.
   */
  tensorFrom(
    gpuBuffer: GPUBuffer,
    options: { readonly shape: Shape; readonly dtype?: DType; readonly offset?: number },
  ): Tensor {
    this.#checkAlive();
    const { shape, dtype, offset } = readOptions('tensorFrom', TENSOR_FROM, options);
    checkShape('tensorFrom', shape);
    if (this.backend.importBuffer === undefined)
      throw new GatewiseError(
        'unsupported',
        `tensorFrom: takes a GPUBuffer, and this runtime is on ${this.backend.description}; use tensor()`,
      );
    const buffer = this.backend.importBuffer(gpuBuffer, sizeOf(shape), offset);
    return new Tensor(this.backend, buffer, shape, dtype);
  }

  /** Compiles a function of traced values to one of tensors: traced and planned once for each signature of arguments. */
  compile<Args extends readonly unknown[], Result>(fn: (...args: Args) => Result): Compiled<Args, Result> {
    this.#checkAlive();
    return compileFunction(this, fn, this.#owned);
  }

  /** Allocates a model's weights on the backend, drawn from a seed or read from a file. */
  async load(model: Layer, options: LoadOptions = {}): Promise<Net> {
    checkLayer('load', model);
    const { seed, weights, precision } = readOptions('load', LOAD, options);
    const layout = new ParameterLayout(model, this.backend.target);
    const flats = weights === undefined ? layout.initial(seed) : weightsOf('weights', layout, weights).flats;
    const tensors = flats.map((flat) => this.tensor(flat));
    const net = new Net({ runtime: this, model, layout, precision }, tensors, this.#owned);
    // Rejects if the upload failed.
    await this.backend.idle();
    return net;
  }

  /**
   * Measures bandwidth, arithmetic and launch overhead of the device with built-in kernels. It takes a few seconds, in which
   * nothing else should run on the device. Later calls and profiles reuse the result. With `check` it measures the GPU only.
   * @throws GatewiseError `unsupported` (as a rejection) on the CPU.
   */
  calibrate(options: CalibrateOptions = {}): Promise<Calibration> {
    this.#checkAlive();
    return this.backend.calibrate(readOptions('calibrate', { again: flag(false) }, options));
  }

  /** The fastest variants found so far, by adapter and kind of step, including those from the store: plain data. */
  get tuning(): Tuning {
    return this.#table?.tuning ?? {};
  }

  #checkAlive(): void {
    if (this.#disposed)
      throw new GatewiseError('disposed', 'runtime: used after dispose(); create a new one');
  }

  /** Frees everything that was made on this runtime. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const item of this.#owned) item[Symbol.dispose]();
    this.#pool.dispose();
    this.backend.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Creates a runtime on WebGPU, or on the CPU if there is no adapter and `backend` is absent.
 * @throws GatewiseError `no-adapter` if WebGPU is required and there is no adapter.
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { backend, device, check, arithmetic, tuning, freeBytes, onCompile } = readOptions(
    'createRuntime',
    RUNTIME,
    options,
  );
  const refuse = (problem: string): never => {
    throw new GatewiseError('argument', `createRuntime: ${problem}`);
  };
  if (arithmetic === 'float64' && backend !== 'cpu')
    refuse("arithmetic 'float64' needs backend: 'cpu'; WebGPU has no float64");
  if (backend === 'cpu' && check)
    refuse("check compares WebGPU with the CPU; leave it out with backend: 'cpu'");
  if (backend === 'cpu' && device !== undefined)
    refuse("a device was given with backend: 'cpu'; leave out one of them");
  const table = tableFor(tuning);
  // An application loads the CPU backend only where it runs on it.
  const onCPU = async (reason?: string): Promise<Runtime> => {
    const { CPUBackend } = await import('../backend/cpu/cpu_backend.ts');
    return new Runtime(new CPUBackend(arithmetic), table, freeBytes, reason);
  };
  const onGPU = async (own: GPUDevice, ownsDevice: boolean): Promise<Runtime> => {
    const { Checker } = check ? await import('../backend/webgpu/check.ts') : {};
    const checker = Checker && ((staging: Staging) => new Checker(staging));
    const gpu = new WebGPUBackend({ device: own, ownsDevice, checker, tuning: table, onCompile });
    return new Runtime(gpu, table, freeBytes);
  };
  if (backend === 'cpu') return onCPU();
  if (device !== undefined) return onGPU(device, false);
  try {
    return await onGPU(await acquireDevice(options), true);
  } catch (error) {
    const optional =
      backend === undefined && !check && error instanceof GatewiseError && error.code === 'no-adapter';
    if (!optional) throw error;
    // oxlint-disable-next-line no-console -- a fallback must not be silent
    console.warn(`gatewise: on the CPU, since ${error.message}`);
    return onCPU(error.message);
  }
}

function tableFor(tuning: RuntimeOptions['tuning'] = {}): TuningTable | undefined {
  if (tuning === false) return undefined;
  const { store = localStore() } = readOptions('createRuntime: tuning', TUNING, tuning);
  return new TuningTable(store);
}
