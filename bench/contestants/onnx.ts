// ONNX Runtime Web: its native WebGPU execution provider, and its CPU provider in WebAssembly.
import asyncifyUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import type * as ORT from 'onnxruntime-web';
import type { InferenceSession, Tensor } from 'onnxruntime-web';

import { swapAxes, type Task } from '../data.ts';
import { Unsupported, type ContestantSource, type Job, type Loaded } from './contestant.ts';
import type * as Models from './onnx_model.ts';

interface Library {
  readonly ort: typeof ORT;
  readonly models: typeof Models;
  readonly backend: 'webgpu' | 'wasm';
}

/** Every node must run on the backend, and outputs stay in its memory. */
const sessionOptions = {
  webgpu: {
    executionProviders: ['webgpu'],
    preferredOutputLocation: 'gpu-buffer',
    extra: { session: { disable_cpu_ep_fallback: '1' } },
  },
  wasm: { executionProviders: ['wasm'] },
} satisfies Record<Library['backend'], InferenceSession.SessionOptions>;

/** A session that runs a model, and its latest outputs. */
class Model {
  readonly #session: InferenceSession;
  #latest: Readonly<Record<string, Tensor>> = {};

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async load({ ort, backend }: Library, bytes: Uint8Array): Promise<Model> {
    try {
      return new Model(await ort.InferenceSession.create(bytes, sessionOptions[backend]));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const refusal = /This session contains graph nodes .* CPU EP.*/.exec(message);
      if (refusal !== null) throw new Unsupported(refusal[0].trim());
      throw error;
    }
  }

  /** Frees the previous outputs after the run is queued, since they may be its inputs. */
  async run(feeds: Readonly<Record<string, Tensor>>): Promise<void> {
    const outputs = await this.#session.run(feeds);
    this.#release();
    this.#latest = outputs as InferenceSession.OnnxValueMapType & Record<string, Tensor>;
  }

  output(name: string): Tensor {
    const tensor = this.#latest[name];
    if (tensor === undefined) throw new Error('read before run');
    return tensor;
  }

  /** Runs with the same inputs each time, and owns them. */
  job(feeds: Readonly<Record<string, Tensor>>): Job {
    return {
      run: () => this.run(feeds),
      read: async () => Float32Array.from((await this.output('Y').getData()) as Float32Array),
      dispose: () => {
        void this.release();
        for (const tensor of Object.values(feeds)) tensor.dispose();
      },
    };
  }

  #release(): void {
    for (const tensor of Object.values(this.#latest)) tensor.dispose();
  }

  async release(): Promise<void> {
    this.#release();
    await this.#session.release();
  }
}

/** A tensor in the backend's memory. Needs the device, which the first session makes. */
async function place({ ort, backend }: Library, data: Float32Array, dims: number[]): Promise<Tensor> {
  if (backend === 'wasm') return new ort.Tensor('float32', data, dims);
  const device = await ort.env.webgpu.device;
  const size = Math.ceil(data.byteLength / 16) * 16;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size, usage });
  device.queue.writeBuffer(buffer, 0, Float32Array.from(data));
  return ort.Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims, dispose: () => buffer.destroy() });
}

async function prepare(library: Library, task: Task): Promise<Job> {
  const { models } = library;
  switch (task.kind) {
    case 'sequence': {
      const { steps, batch, inputSize, hiddenSize, bidirectional } = task;
      const model = await Model.load(library, models.sequenceModel(task));
      const x = await place(library, task.input, [steps, batch, inputSize]);
      return {
        ...model.job({ X: x }),
        // (T, D, B, H) to (T, B, D, H)
        ...(bidirectional && { arrange: (values) => swapAxes(values, 2, batch, hiddenSize) }),
      };
    }
    case 'stream': {
      const { cell, inputSize, hiddenSize, inputs } = task;
      const model = await Model.load(library, models.streamModel(task));
      const names = models.streamStates(cell);
      const zeros = await place(library, new Float32Array(hiddenSize), [1, 1, hiddenSize]);
      let step = 0;
      return {
        ...model.job({ zeros }),
        run: () => {
          const state = (after: string): Tensor => (step === 0 ? zeros : model.output(after));
          const states = Object.fromEntries(names.map(([before, after]) => [before, state(after)]));
          const x = inputs[step % inputs.length];
          step++;
          return model.run({ X: new library.ort.Tensor('float32', x, [1, 1, inputSize]), ...states });
        },
      };
    }
    case 'training':
      throw new Unsupported('cannot train');
    case 'embedding':
      throw new Unsupported('has no gradients');
    case 'matmul': {
      const { rows, inner, columns } = task;
      const model = await Model.load(library, models.matmulModel(rows, inner, columns));
      const a = await place(library, task.a, [rows, inner]);
      const b = await place(library, task.b, [inner, columns]);
      return model.job({ A: a, B: b });
    }
  }
}

async function load(
  backend: Library['backend'],
  importLibrary: () => Promise<typeof ORT>,
  wasm: string,
  threads: number,
  settings: string,
): Promise<Loaded> {
  const [ort, models] = await Promise.all([importLibrary(), import('./onnx_model.ts')]);
  ort.env.wasm.wasmPaths = { wasm };
  ort.env.wasm.numThreads = threads;
  const library = { ort, models, backend };
  // Starts the WebAssembly, its threads and the device, which are not part of anyone's first call.
  const first = await Model.load(library, models.matmulModel(1, 1, 1));
  await first.release();
  return {
    version: `${ort.env.versions.web}, ${settings}`,
    prepare: (task) => prepare(library, task),
  };
}

export const onnxWebGPU: ContestantSource = {
  name: 'ONNX Runtime webgpu',
  key: 'onnx',
  library: 'ONNX Runtime',
  backend: 'webgpu',
  load: () => load('webgpu', () => import('onnxruntime-web/webgpu'), asyncifyUrl, 0, 'asyncify build'),
};

export const onnxWasm: ContestantSource = {
  name: 'ONNX Runtime wasm',
  key: 'onnx',
  library: 'ONNX Runtime',
  backend: 'wasm',
  load: () => {
    // The default is half of the cores, at most four. Without isolation the page has no threads.
    const threads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
    return load('wasm', () => import('onnxruntime-web/wasm'), wasmUrl, threads, `SIMD, threads: ${threads}`);
  },
};
