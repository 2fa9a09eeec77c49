// TensorFlow.js: its Keras layers, on its WebGPU backend and on its WebAssembly backend.
import simdUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import plainUrl from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import type * as Core from '@tensorflow/tfjs-core';
import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

import { convertWeights, layouts, type NamedTensor } from '../../src/index.ts';
import type { EmbeddingTask, MatmulTask, SequenceTask, StreamTask, TrainingTask, Weights } from '../data.ts';
import { swapAxes, weightOf } from '../data.ts';
import type { RecurrentKind } from '../workloads.ts';
import {
  jobOf as resultJob,
  preparing,
  Unsupported,
  type ContestantSource,
  type Job,
  type Loaded,
} from './contestant.ts';

type Layer = layers.Layer;

interface Library {
  readonly tf: typeof Core;
  readonly layers: typeof layers;
  readonly backend: 'webgpu' | 'wasm';
}

/** TF.js's GRU resets before the product and has no other. */
const kinds = { lstm: 'lstm', gru: 'gru_reset_before', rnn: 'rnn' } as const;

/** TF.js's default recurrent activation is piecewise linear, and its default orthogonal initial matrix takes seconds. */
const plain = {
  recurrentActivation: 'sigmoid',
  kernelInitializer: 'zeros',
  recurrentInitializer: 'zeros',
} as const;

/** Makes the library's backend the current one: TF.js has one at a time in a page. */
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
  layer.built = true; // some layers do not note it themselves, and would build again when they are applied
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
  const layer = make({ ...plain, units, returnSequences: true });
  return bidirectional ? layers.bidirectional({ layer, mergeMode: 'concat' }) : layer;
}

function jobOf(library: Library, run: () => Tensor, free: () => void): Job {
  const job = resultJob(run, (tensor) => tensor.data(), [free]);
  const first =
    <T>(action: () => T) =>
    (): T => {
      current(library);
      return action();
    };
  return { run: first(job.run), read: first(job.read), dispose: first(job.dispose) };
}

function sequenceJob(library: Library, task: SequenceTask): Job {
  const { cell, steps, batch, inputSize, hiddenSize, numLayers, bidirectional } = task;
  const tf = current(library);
  const width = hiddenSize * (bidirectional ? 2 : 1);
  const stack = Array.from({ length: numLayers }, (_, l) => {
    const layer = recurrentLayer(library, cell, hiddenSize, bidirectional);
    fill(library, layer, [null, null, l === 0 ? inputSize : width], recurrentWeights(task.weights, cell, l));
    return layer;
  });
  // Rows come before time in TF.js.
  const x = tf.tensor3d(swapAxes(task.input, steps, batch, inputSize), [batch, steps, inputSize]);
  const forward = (): Tensor => stack.reduce<Tensor>((h, layer) => layer.apply(h) as Tensor, x);
  const job = jobOf(
    library,
    () => tf.tidy(forward),
    () => tf.dispose([x, stack.map((layer) => layer.getWeights())]),
  );
  return { ...job, arrange: (values) => swapAxes(values, batch, steps, width) };
}

/** The cell by itself: a layer of one step would do more. */
function streamJob(library: Library, task: StreamTask): Job {
  const { cell, inputSize, hiddenSize } = task;
  const tf = current(library);
  const { lstmCell, gruCell, simpleRNNCell } = library.layers;
  const layer = { lstm: lstmCell, gru: gruCell, rnn: simpleRNNCell }[cell]({ ...plain, units: hiddenSize });
  fill(library, layer, [1, inputSize], recurrentWeights(task.weights, cell));
  let states = Array.from({ length: cell === 'lstm' ? 2 : 1 }, (): Tensor => tf.zeros([1, hiddenSize]));
  let step = 0;
  return jobOf(
    library,
    () => {
      const x = task.inputs[step++ % task.inputs.length];
      // [h, h, c], of a GRU [h, h]
      const next = tf.tidy(() => layer.call([tf.tensor2d(x, [1, inputSize]), ...states], {}) as Tensor[]);
      tf.dispose(states);
      states = next.slice(1);
      return next[0];
    },
    () => tf.dispose([states, layer.getWeights()]),
  );
}

function trainingJob(library: Library, task: TrainingTask): Job {
  const { cell, steps, batch, classes, hiddenSize, learningRate } = task;
  const tf = current(library);
  const recurrent = recurrentLayer(library, cell, hiddenSize, false);
  fill(library, recurrent, [null, null, classes], recurrentWeights(task.weights, cell));
  const dense = library.layers.dense({ units: classes });
  const [weight, bias] = ['weight', 'bias'].map((name) => weightOf(task.linear, name));
  const kernel = swapAxes(weight.data, classes, hiddenSize, 1);
  const transposed = { ...weight, shape: [hiddenSize, classes], data: kernel };
  fill(library, dense, [null, null, hiddenSize], [transposed, bias]);

  const variables = [recurrent, dense].flatMap((layer) => layer.getWeights()) as Variable[];
  const optimizer = tf.train.adam(learningRate, 0.9, 0.999, 1e-8);
  const input = swapAxes(task.input, steps, batch, classes);
  const labels = Int32Array.from(swapAxes(task.labels, steps, batch, 1));
  const minimize = (): Scalar => {
    const x = tf.tensor3d(input, [batch, steps, classes]);
    const y = tf.oneHot(tf.tensor1d(labels, 'int32'), classes);
    const lossOf = (): Scalar => {
      const logits = dense.apply(recurrent.apply(x)) as Tensor; // (B, T, classes)
      return tf.losses.softmaxCrossEntropy(y, tf.reshape(logits, [batch * steps, classes]));
    };
    return optimizer.minimize(lossOf, true, variables) as Scalar; // as returnCost is true
  };
  return jobOf(
    library,
    () => tf.tidy(minimize),
    () => {
      optimizer.dispose();
      tf.dispose(variables);
    },
  );
}

function matmulJob(library: Library, { a, b, rows, inner, columns }: MatmulTask): Job {
  const tf = current(library);
  const [left, right] = [tf.tensor2d(a, [rows, inner]), tf.tensor2d(b, [inner, columns])];
  return jobOf(
    library,
    () => tf.matMul(left, right),
    () => tf.dispose([left, right]),
  );
}

/** What its gradient of `gather` comes to. */
function embeddingJob(library: Library, { rows, columns, count, ...task }: EmbeddingTask): Job {
  if (library.backend === 'wasm') throw new Unsupported('has no kernel for the gradient of a gather');
  const tf = current(library);
  const [gradient, tokens] = [
    tf.tensor2d(task.gradient, [count, columns]),
    tf.tensor1d(task.tokens, 'int32'),
  ];
  return jobOf(
    library,
    () => tf.unsortedSegmentSum(gradient, tokens, rows),
    () => tf.dispose([gradient, tokens]),
  );
}

async function load(backend: Library['backend']): Promise<Loaded> {
  const [tf, { layers }] = await Promise.all([
    import('@tensorflow/tfjs-core'),
    import('@tensorflow/tfjs-layers'),
  ]);
  const settings = await { webgpu: loadWebGPU, wasm: loadWasm }[backend](tf);
  if (!(await tf.setBackend(backend))) throw new Error(`TF.js has no ${backend} backend here`);
  const library = { tf, layers, backend };
  const makers = {
    sequence: sequenceJob,
    stream: streamJob,
    training: trainingJob,
    matmul: matmulJob,
    embedding: embeddingJob,
  };
  return {
    version: [tf.version_core, ...settings].join(', '),
    resetBefore: true,
    oneBias: true,
    prepare: preparing(library, makers),
  };
}

async function loadWebGPU(tf: typeof Core): Promise<string[]> {
  await import('@tensorflow/tfjs-backend-webgpu');
  // Otherwise TF.js computes on small tensors from the host on the CPU.
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  return ['WEBGPU_CPU_FORWARD=false'];
}

async function loadWasm(tf: typeof Core): Promise<string[]> {
  const { getThreadsCount, setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plainUrl,
    'tfjs-backend-wasm-simd.wasm': simdUrl,
    'tfjs-backend-wasm-threaded-simd.wasm': threadedUrl,
  });
  await tf.setBackend('wasm');
  // It takes half of the logical cores, at most four, whatever it is asked for.
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return [simd === true ? 'SIMD' : 'no SIMD', `threads: ${getThreadsCount()}`];
}

const source = (backend: Library['backend']): ContestantSource => ({
  name: `TF.js ${backend}`,
  key: 'tfjs',
  library: 'TF.js',
  backend,
  load: () => load(backend),
});

export const tfjsWebGPU = source('webgpu');
export const tfjsWasm = source('wasm');
