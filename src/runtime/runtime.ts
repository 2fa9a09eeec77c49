// The runtime: a backend, and all that runs on it.
import type { Backend, CalibrateOptions } from '../backend/backend.ts';
import { CPUBackend, type Precision } from '../backend/cpu/cpu_backend.ts';
import { WebGPUBackend } from '../backend/webgpu/webgpu_backend.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { checkFlag, checkOptions } from '../core/options.ts';
import { sizeOf, type DType, type Shape } from '../core/shape.ts';
import { parseSafetensors } from '../io/safetensors.ts';
import { checkLayer, type Layer } from '../nn/layer.ts';
import { checkWeightPrecision, type WeightPrecision } from '../ops/weight_precision.ts';
import type { Calibration } from '../plan/calibration.ts';
import type { Tuning } from '../backend/tuning.ts';
import { acquireDevice, type AdapterOptions } from './adapter.ts';
import { compileFunction, type Compiled } from './compile.ts';
import { toHostTensor, type HostData } from './host.ts';
import { MemoryPool } from './memory_pool.ts';
import { Net } from './net.ts';
import { ParameterLayout } from './parameters.ts';
import { Tensor } from './tensor.ts';
import { localStore, TuningTable, type TuningStore } from './tuning_table.ts';

export interface RuntimeOptions extends AdapterOptions {
  /** `webgpu`: that or an error; `cpu`: the CPU; absent: WebGPU, or the CPU where there is none (see `fallbackReason`). */
  readonly backend?: 'webgpu' | 'cpu';
  /** A device of the application's own; it is not destroyed on dispose. */
  readonly device?: GPUDevice;
  /** Run every step of every plan on the CPU too, and throw where they differ. Slow, and needs WebGPU. */
  readonly check?: boolean;
  /**
   * How the CPU backend keeps numbers; `float64` for gradient checks. `float32` unless given. What a net's weights are
   * rounded to is `load`'s to say.
   */
  readonly precision?: Precision;
  /**
   * What `net.tune` and its like find out is kept between visits in `store`, the page's `localStorage` unless given, and
   * serves from the start of the next. False: kernels are chosen by device and sizes alone, and nothing is measured.
   */
  readonly tuning?: false | { readonly store?: TuningStore };
}

export interface LoadOptions {
  /** Initial weights are drawn from this seed; 0 unless given. */
  readonly seed?: number;
  /** The bytes of a safetensors file with the model's parameters instead. */
  readonly weights?: Uint8Array;
  /**
   * What the weight matrices of recurrent layers and of Linear are rounded to where they are multiplied by, on any device;
   * everything else, sums included, is float32. `f16` halves what a step reads of them and can be trained: the net keeps the
   * float32 weights, which are those that gradients move and that `save` writes. `int8` quarters it and is for inference.
   * `float32` unless given.
   */
  readonly precision?: WeightPrecision;
}

export class Runtime implements Disposable {
  readonly backend: Backend;
  /** Why it runs on the CPU although WebGPU was welcome. */
  readonly fallbackReason: string | undefined;
  readonly #table: TuningTable | undefined;
  readonly #pool: MemoryPool;
  readonly #owned = new Set<Disposable>();
  #disposed = false;

  /** Made by `createRuntime`. */
  constructor(backend: Backend, table: TuningTable | undefined, fallbackReason?: string) {
    this.backend = backend;
    this.#table = table;
    this.fallbackReason = fallbackReason;
    this.#pool = new MemoryPool(backend);
  }

  /** Memory for a tensor, as it comes. */
  allocate(shape: Shape, dtype: DType): Tensor {
    this.#checkAlive();
    const buffer = this.#pool.take(sizeOf(shape), dtype);
    return new Tensor(this.backend, buffer, shape, dtype, (free) => this.#pool.give(free, dtype));
  }

  /** Copies numbers to the backend. @param options.shape for typed arrays. @param options.dtype f32 unless the data is an Int32Array. */
  tensor(data: HostData, options: { readonly shape?: Shape; readonly dtype?: DType } = {}): Tensor {
    checkOptions('tensor', options, ['shape', 'dtype']);
    const { shape, dtype } = options;
    if (shape !== undefined && !Array.isArray(shape))
      throw new GatewiseError('argument', `tensor: shape must be a list of sizes, got ${show(shape)}`);
    if (dtype !== undefined && dtype !== 'f32' && dtype !== 'i32')
      throw new GatewiseError('argument', `tensor: dtype must be "f32" or "i32", got ${show(dtype)}`);
    const host = toHostTensor('tensor', data, shape, dtype);
    const tensor = this.allocate(host.shape, host.dtype);
    tensor.write(host.data);
    return tensor;
  }

  /** A function over traced values as one over tensors: traced and planned once for each signature. */
  compile<Args extends readonly unknown[], Result>(fn: (...args: Args) => Result): Compiled<Args, Result> {
    this.#checkAlive();
    const owned = { [Symbol.dispose]: (): void => compiled.dispose() };
    const compiled = compileFunction(this.backend, this.#pool, fn, () => this.#owned.delete(owned));
    this.#owned.add(owned);
    return compiled;
  }

  /** Puts a model on the backend, with weights drawn from a seed or read from a file. */
  async load(model: Layer, options: LoadOptions = {}): Promise<Net> {
    checkLayer('load', model);
    checkOptions('load', options, ['seed', 'weights', 'precision']);
    const { seed = 0, weights, precision = 'float32' } = options;
    checkWeightPrecision('load', precision);
    const layout = new ParameterLayout(model, this.backend.target.alignment);
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new GatewiseError(
        'argument',
        `load: seed must be a whole number of at least 0, got ${show(seed)}`,
      );
    let flat: Float32Array;
    if (weights === undefined) flat = layout.initial(seed);
    else {
      const { tensors, metadata } = parseSafetensors(weights);
      // A trainer's checkpoint holds the states of the optimizer and of the model beside the weights.
      const isWeight = (name: string): boolean =>
        !('optimizer' in metadata && /^(optimizer|state)\./.test(name));
      layout.checkKnown([...tensors.keys()].filter(isWeight));
      flat = layout.fromTensors(tensors);
    }
    const net: Net = new Net(this, { model, precision }, layout, this.tensor(flat), () =>
      this.#owned.delete(net),
    );
    this.#owned.add(net);
    // The weights have arrived, or the error is thrown here.
    await this.backend.idle();
    return net;
  }

  /**
   * Measures what the device can do, with kernels of our own, in a few seconds in which nothing else should run on it. Done
   * once: a second call gives the same promise, and so do profiles take it. With `check` it measures the device alone.
   * @throws GatewiseError `unsupported` (as a rejection) on the CPU.
   */
  calibrate(options: CalibrateOptions = {}): Promise<Calibration> {
    this.#checkAlive();
    checkOptions('calibrate', options, ['again']);
    return this.backend.calibrate(options);
  }

  /** Which variant was found fastest, by adapter and kind of step, here and in the store: plain data. */
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
 * A runtime on WebGPU, or on the CPU where there is none and `backend` does not ask for WebGPU.
 * @throws GatewiseError `no-adapter` where WebGPU is asked for and cannot be had.
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  checkOptions('createRuntime', options, [
    'backend',
    'device',
    'gpu',
    'powerPreference',
    'check',
    'precision',
    'tuning',
  ]);
  const { backend, device, check = false, precision = 'float32', powerPreference } = options;
  if (backend !== undefined && backend !== 'webgpu' && backend !== 'cpu')
    throw new GatewiseError(
      'argument',
      `createRuntime: backend must be "webgpu" or "cpu", got ${show(backend)}`,
    );
  const refuse = (problem: string): never => {
    throw new GatewiseError('argument', `createRuntime: ${problem}`);
  };
  if (device !== undefined && typeof device.createBuffer !== 'function')
    refuse(`device must be a GPUDevice, got ${show(device)}`);
  if (options.gpu !== undefined && typeof options.gpu.requestAdapter !== 'function')
    refuse(`gpu must be a GPU such as navigator.gpu or await nodeGPU(), got ${show(options.gpu)}`);
  if (powerPreference !== undefined && !['low-power', 'high-performance'].includes(powerPreference))
    refuse(`powerPreference must be "low-power" or "high-performance", got ${show(powerPreference)}`);
  checkFlag('createRuntime', 'check', check);
  if (precision !== 'float32' && precision !== 'float64')
    refuse(`precision must be "float32" or "float64", got ${show(precision)}`);
  if (options.tuning !== undefined && options.tuning !== false) checkTuning(options.tuning);
  if (precision === 'float64' && backend !== 'cpu')
    refuse("precision 'float64' needs backend: 'cpu'; WebGPU has no float64");
  if (backend === 'cpu' && check)
    refuse("check compares WebGPU with the CPU; leave it out with backend: 'cpu'");
  if (backend === 'cpu' && device !== undefined)
    refuse("a device was given with backend: 'cpu'; leave out one of them");
  const tuning = tableFor(options);
  const onCPU = (reason?: string): Runtime => new Runtime(new CPUBackend(precision), tuning, reason);
  const onGPU = (own: GPUDevice, ownsDevice: boolean): Runtime =>
    new Runtime(new WebGPUBackend({ device: own, ownsDevice, check, tuning }), tuning);
  if (backend === 'cpu') return onCPU();
  if (device !== undefined) return onGPU(device, false);
  try {
    return onGPU(await acquireDevice(options), true);
  } catch (error) {
    const optional =
      backend === undefined && !check && error instanceof GatewiseError && error.code === 'no-adapter';
    if (!optional) throw error;
    return onCPU(error.message);
  }
}

function checkTuning(tuning: { readonly store?: TuningStore }): void {
  checkOptions('createRuntime: tuning', tuning, ['store']);
  const { store } = tuning;
  if (store !== undefined && (typeof store?.getItem !== 'function' || typeof store.setItem !== 'function'))
    throw new GatewiseError(
      'argument',
      `createRuntime: tuning.store must have getItem and setItem as localStorage has, got ${show(store)}`,
    );
}

function tableFor({ tuning }: RuntimeOptions): TuningTable | undefined {
  return tuning === false ? undefined : new TuningTable(tuning?.store ?? localStore());
}
