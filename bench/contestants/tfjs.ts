// TensorFlow.js: its Keras layers, on its WebGPU backend and on its WebAssembly backend.
import simdUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import plainUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import type * as Core from '@tensorflow/tfjs-core';
import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

import { convertWeights, layouts, type NamedTensor } from '../../src/index.ts';
import type { SequenceData, StreamData, Task, TrainingData, Weights } from '../data.ts';
import type { RecurrentKind, SequenceWorkload, StreamWorkload, TrainingWorkload } from '../workloads.ts';
import type { Contestant, ContestantSource, Job } from './contestant.ts';

type Layer = layers.Layer;

interface Library {
  readonly tf: typeof Core;
  readonly layers: typeof layers;
  readonly backend: 'webgpu' | 'wasm';
}

/** TF.js's GRU resets before the product and has no other. */
const kinds = { lstm: 'lstm', gru: 'gru_reset_before', rnn: 'rnn' } as const;

/** TF.js's own recurrent activation is a piecewise linear one; to begin with an orthogonal matrix takes it seconds. */
const options = (units: number) =>
  ({
    units,
    recurrentActivation: 'sigmoid',
    kernelInitializer: 'zeros',
    recurrentInitializer: 'zeros',
  }) as const;

/** Two orders of time and rows: (X, Y, width) to (Y, X, width). */
function swapAxes(values: Float32Array, x: number, y: number): Float32Array {
  const width = values.length / (x * y);
  const swapped = new Float32Array(values.length);
  for (let i = 0; i < x; i++)
    for (let j = 0; j < y; j++) {
      const at = (i * y + j) * width;
      swapped.set(values.subarray(at, at + width), (j * x + i) * width);
    }
  return swapped;
}

/** A library whose backend is the current one from here on: TF.js has one at a time in a page. */
function current({ tf, backend }: Library): typeof Core {
  if (tf.getBackend() !== backend) void tf.setBackend(backend); // at once, as it has been initialised
  return tf;
}

/** Builds a layer for inputs of a shape and gives it PyTorch's weights. */
function fill(
  library: Library,
  layer: Layer,
  inputShape: (number | null)[],
  weights: readonly NamedTensor[],
): void {
  const tf = current(library);
  layer.build(inputShape);
  layer.built = true; // not all of them note it themselves, and would build again when they are applied
  tf.tidy(() =>
    layer.setWeights(weights.map(({ data, shape }) => tf.tensor(new Float32Array(data), [...shape]))),
  );
}

const recurrentWeights = (weights: Weights, cell: RecurrentKind, layer = 0): NamedTensor[] => [
  ...convertWeights(weights, layouts.pytorch[kinds[cell]], layouts.keras[kinds[cell]], layer).values(),
];

function recurrentLayer(
  { layers }: Library,
  cell: RecurrentKind,
  units: number,
  bidirectional: boolean,
): Layer {
  const make = { lstm: layers.lstm, gru: layers.gru, rnn: layers.simpleRNN }[cell];
  const layer = make({ ...options(units), returnSequences: true });
  return bidirectional ? layers.bidirectional({ layer, mergeMode: 'concat' }) : layer;
}

/** The result of the latest run. Those before give their memory back. */
class Latest {
  readonly #library: Library;
  #tensor: Tensor | undefined;

  constructor(library: Library) {
    this.#library = library;
  }

  set(tensor: Tensor): void {
    this.#tensor?.dispose();
    this.#tensor = tensor;
  }

  async read(): Promise<Float32Array> {
    current(this.#library);
    if (this.#tensor === undefined) throw new Error('read before run');
    return Float32Array.from(await this.#tensor.data());
  }

  dispose(): void {
    this.#tensor?.dispose();
  }
}

function sequenceJob(library: Library, workload: SequenceWorkload, data: SequenceData): Job {
  const { cell, steps, batch, inputSize, hiddenSize, numLayers, bidirectional } = workload;
  const tf = current(library);
  const width = hiddenSize * (bidirectional ? 2 : 1);
  const stack = Array.from({ length: numLayers }, (_, l) => {
    const layer = recurrentLayer(library, cell, hiddenSize, bidirectional);
    fill(library, layer, [null, null, l === 0 ? inputSize : width], recurrentWeights(data.weights, cell, l));
    return layer;
  });
  // Rows come before time in TF.js.
  const x = tf.tensor3d(swapAxes(data.input, steps, batch), [batch, steps, inputSize]);
  const latest = new Latest(library);
  return {
    run: () => {
      current(library);
      latest.set(tf.tidy(() => stack.reduce<Tensor>((h, layer) => layer.apply(h) as Tensor, x)));
    },
    read: () => latest.read(),
    arrange: (values) => swapAxes(values, batch, steps),
    dispose: () => {
      current(library);
      latest.dispose();
      tf.dispose([x, stack.map((layer) => layer.getWeights())]);
    },
  };
}

/** The cell by itself, as a layer of one step would do more. */
function streamJob(library: Library, workload: StreamWorkload, data: StreamData): Job {
  const { cell, inputSize, hiddenSize } = workload;
  const tf = current(library);
  const { lstmCell, gruCell, simpleRNNCell } = library.layers;
  const layer = { lstm: lstmCell, gru: gruCell, rnn: simpleRNNCell }[cell](options(hiddenSize));
  fill(library, layer, [1, inputSize], recurrentWeights(data.weights, cell));
  let states = Array.from({ length: cell === 'lstm' ? 2 : 1 }, (): Tensor => tf.zeros([1, hiddenSize]));
  let step = 0;
  return {
    run: () => {
      current(library);
      const x = data.inputs[step++ % data.inputs.length];
      // [h, h, c], of a GRU [h, h]
      const next = tf.tidy(() => layer.call([tf.tensor2d(x, [1, inputSize]), ...states], {}) as Tensor[]);
      tf.dispose(states);
      states = next.slice(1);
    },
    read: async () => {
      current(library);
      return Float32Array.from(await states[0].data());
    },
    dispose: () => {
      current(library);
      tf.dispose([states, layer.getWeights()]);
    },
  };
}

function trainingJob(library: Library, workload: TrainingWorkload, data: TrainingData): Job {
  const { cell, steps, batch, classes, hiddenSize, learningRate } = workload;
  const tf = current(library);
  const recurrent = recurrentLayer(library, cell, hiddenSize, false);
  fill(library, recurrent, [null, null, classes], recurrentWeights(data.weights, cell));
  const dense = library.layers.dense({ units: classes });
  const [weight, bias] = ['weight', 'bias'].map((name) => data.linear.get(name));
  if (weight === undefined || bias === undefined) throw new Error('no weights of the linear layer');
  const kernel = swapAxes(Float32Array.from(weight.data), classes, hiddenSize);
  fill(
    library,
    dense,
    [null, null, hiddenSize],
    [{ ...weight, shape: [hiddenSize, classes], data: kernel }, bias],
  );

  const variables = [recurrent, dense].flatMap((layer) => layer.getWeights()) as Variable[];
  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, 1e-8);
  const input = swapAxes(data.input, steps, batch);
  const labels = Int32Array.from({ length: batch * steps }, (_, i) => {
    const [row, t] = [Math.floor(i / steps), i % steps];
    return data.labels[t * batch + row];
  });
  const latest = new Latest(library);
  return {
    run: () => {
      current(library);
      const loss = tf.tidy(() => {
        const x = tf.tensor3d(input, [batch, steps, classes]);
        const y = tf.oneHot(tf.tensor1d(labels, 'int32'), classes);
        return optimizer.minimize(
          () => {
            const logits = dense.apply(recurrent.apply(x)) as Tensor; // (B, T, classes)
            return tf.losses.softmaxCrossEntropy(y, tf.reshape(logits, [batch * steps, classes]));
          },
          true,
          variables,
        ) as Scalar; // as returnCost is true
      });
      latest.set(loss);
    },
    read: () => latest.read(),
    dispose: () => {
      current(library);
      latest.dispose();
      optimizer.dispose();
      tf.dispose(variables);
    },
  };
}

function prepare(library: Library, task: Task): Job {
  switch (task.kind) {
    case 'sequence':
      return sequenceJob(library, task.workload, task.data);
    case 'stream':
      return streamJob(library, task.workload, task.data);
    case 'training':
      return trainingJob(library, task.workload, task.data);
    case 'matmul': {
      const { rows, inner, columns } = task.workload;
      const tf = current(library);
      const a = tf.tensor2d(task.data.a, [rows, inner]);
      const b = tf.tensor2d(task.data.b, [inner, columns]);
      const latest = new Latest(library);
      return {
        run: () => latest.set(current(library).matMul(a, b)),
        read: () => latest.read(),
        dispose: () => {
          current(library);
          latest.dispose();
          tf.dispose([a, b]);
        },
      };
    }
  }
}

async function load(backend: Library['backend']): Promise<Contestant> {
  const [tf, { layers }] = await Promise.all([
    import('@tensorflow/tfjs-core'),
    import('@tensorflow/tfjs-layers'),
  ]);
  const settings = await { webgpu: loadWebGPU, wasm: loadWasm }[backend](tf);
  return {
    name: `TF.js ${backend}`,
    library: 'TF.js',
    backend,
    version: [tf.version_core, ...settings].join(', '),
    gru: 'reset before',
    biases: 1,
    prepare: async (task) => {
      const library = { tf, layers, backend };
      // Half a millisecond, as much as a step of a stream takes.
      return { ...prepare(library, task), resume: () => void current(library) };
    },
  };
}

async function start(tf: typeof Core, backend: Library['backend']): Promise<void> {
  if (!(await tf.setBackend(backend))) throw new Error(`TF.js has no ${backend} backend here`);
}

async function loadWebGPU(tf: typeof Core): Promise<string[]> {
  await import('@tensorflow/tfjs-backend-webgpu');
  // Or small tensors that come from the host are worked on there.
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  await start(tf, 'webgpu');
  return ['WEBGPU_CPU_FORWARD=false'];
}

async function loadWasm(tf: typeof Core): Promise<string[]> {
  const { getThreadsCount, setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plainUrl,
    'tfjs-backend-wasm-simd.wasm': simdUrl,
    'tfjs-backend-wasm-threaded-simd.wasm': threadedUrl,
  });
  await start(tf, 'wasm');
  // It takes half of the logical cores, four at most, whatever it is asked for.
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return [simd === true ? 'SIMD' : 'no SIMD', `threads: ${getThreadsCount()}`];
}

export const tfjsWebGPU: ContestantSource = { name: 'TF.js webgpu', key: 'tfjs', load: () => load('webgpu') };
export const tfjsWasm: ContestantSource = { name: 'TF.js wasm', key: 'tfjs', load: () => load('wasm') };
