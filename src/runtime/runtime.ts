// The runtime: a backend, and all that runs on it.
import type { Backend, CalibrateOptions } from '../backend/backend.ts';
import { CPUBackend, type Precision } from '../backend/cpu/cpu_backend.ts';
import { WebGPUBackend } from '../backend/webgpu/webgpu_backend.ts';
import { GatewiseError } from '../core/errors.ts';
import { flag, oneOf, option, optional, readOptions, seed, unchecked, withMethods } from '../core/options.ts';
import { sizeOf, type DType, type Shape } from '../core/shape.ts';
import { parseSafetensors } from '../io/safetensors.ts';
import { checkLayer, type Layer } from '../nn/layer.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import type { Calibration } from '../plan/calibration.ts';
import type { Tuning } from '../plan/tuning.ts';
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

const RUNTIME = {
  backend: optional(oneOf(['webgpu', 'cpu'])),
  device: optional(withMethods<GPUDevice>('a GPUDevice', 'createBuffer')),
  gpu: optional(withMethods<GPU>('a GPU such as navigator.gpu or await nodeGPU()', 'requestAdapter')),
  powerPreference: optional(oneOf(['low-power', 'high-performance'])),
  check: flag(false),
  precision: oneOf(['float32', 'float64'], 'float32'),
  tuning: unchecked<RuntimeOptions['tuning']>(),
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
const TENSOR = {
  shape: optional(option<Shape>('a list of sizes', Array.isArray)),
  dtype: optional(oneOf(['f32', 'i32'])),
};

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
    const { shape, dtype } = readOptions('tensor', TENSOR, options);
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
    const { seed, weights, precision } = readOptions('load', LOAD, options);
    const layout = new ParameterLayout(model);
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
    return this.backend.calibrate(readOptions('calibrate', { again: flag(false) }, options));
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
  const { backend, device, check, precision, tuning } = readOptions('createRuntime', RUNTIME, options);
  const refuse = (problem: string): never => {
    throw new GatewiseError('argument', `createRuntime: ${problem}`);
  };
  if (precision === 'float64' && backend !== 'cpu')
    refuse("precision 'float64' needs backend: 'cpu'; WebGPU has no float64");
  if (backend === 'cpu' && check)
    refuse("check compares WebGPU with the CPU; leave it out with backend: 'cpu'");
  if (backend === 'cpu' && device !== undefined)
    refuse("a device was given with backend: 'cpu'; leave out one of them");
  const table = tableFor(tuning);
  const onCPU = (reason?: string): Runtime => new Runtime(new CPUBackend(precision), table, reason);
  const onGPU = (own: GPUDevice, ownsDevice: boolean): Runtime =>
    new Runtime(new WebGPUBackend({ device: own, ownsDevice, check, tuning: table }), table);
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

function tableFor(tuning: RuntimeOptions['tuning'] = {}): TuningTable | undefined {
  if (tuning === false) return undefined;
  const { store = localStore() } = readOptions('createRuntime: tuning', TUNING, tuning);
  return new TuningTable(store);
}
