// The numbers of a workload, the same for every contestant: drawn from a seed, weights under PyTorch's names.
import { Random, type NamedTensor } from '../src/index.ts';
import type {
  EmbeddingWorkload,
  MatmulWorkload,
  RecurrentKind,
  SequenceWorkload,
  StreamWorkload,
  TrainingWorkload,
  Workload,
} from './workloads.ts';

/** Tensors by name: `weight_ih_l0`, `bias_hh_l0_reverse`, …; of a linear layer `weight` (classes, H) and `bias` (classes). */
export type Weights = ReadonlyMap<string, NamedTensor>;

export interface SequenceTask extends SequenceWorkload {
  readonly weights: Weights;
  /** (T, B, I). */
  readonly input: Float32Array;
}

export interface StreamTask extends StreamWorkload {
  readonly weights: Weights;
  /** (I) of each step, repeated from the first on. */
  readonly inputs: readonly Float32Array[];
}

export interface TrainingTask extends TrainingWorkload {
  readonly weights: Weights;
  readonly linear: Weights;
  /** One-hot characters (T, B, classes), and as labels (T, B) the characters that follow. */
  readonly input: Float32Array;
  readonly labels: Int32Array;
}

export interface MatmulTask extends MatmulWorkload {
  /** (M, K) and (K, N). */
  readonly a: Float32Array;
  readonly b: Float32Array;
}

export interface EmbeddingTask extends EmbeddingWorkload {
  /** (count). */
  readonly tokens: Int32Array;
  /** The gradient of the rows that were taken, (count, columns). */
  readonly gradient: Float32Array;
}

/** A workload with its numbers. */
export type Task = SequenceTask | StreamTask | TrainingTask | MatmulTask | EmbeddingTask;

export const GATES = { lstm: 4, gru: 3, rnn: 1 } as const;
const STREAM_INPUTS = 16;

export function weightOf(weights: Weights, name: string): NamedTensor {
  const tensor = weights.get(name);
  if (tensor === undefined) throw new Error(`no weights ${name}`);
  return tensor;
}

/** (…, X, Y, width) to (…, Y, X, width). */
export function swapAxes(values: ArrayLike<number>, x: number, y: number, width: number): Float32Array {
  const swapped = new Float32Array(values.length);
  const block = x * y * width;
  for (let i = 0; i < values.length; i++) {
    const [at, k] = [Math.floor((i % block) / width), i % width];
    swapped[i - (i % block) + ((at % y) * x + Math.floor(at / y)) * width + k] = values[i];
  }
  return swapped;
}

/** Uniform in [-scale, scale). */
const draw = (random: Random, size: number, scale: number): Float32Array =>
  Float32Array.from({ length: size }, () => random.uniform(-scale, scale));

function tensor(random: Random, shape: number[], scale: number): NamedTensor {
  const size = shape.reduce((a, b) => a * b);
  return { dtype: 'f32', shape, data: draw(random, size, scale) };
}

/** Within ±1/√H, PyTorch's initial range. */
function recurrentWeights(
  random: Random,
  cell: RecurrentKind,
  [inputSize, H]: readonly [number, number],
  numLayers = 1,
  bidirectional = false,
): Weights {
  const scale = 1 / Math.sqrt(H);
  const gates = GATES[cell] * H;
  const weights = new Map<string, NamedTensor>();
  for (let layer = 0; layer < numLayers; layer++)
    for (const suffix of bidirectional ? [`l${layer}`, `l${layer}_reverse`] : [`l${layer}`]) {
      const width = layer === 0 ? inputSize : H * (bidirectional ? 2 : 1);
      weights.set(`weight_ih_${suffix}`, tensor(random, [gates, width], scale));
      weights.set(`weight_hh_${suffix}`, tensor(random, [gates, H], scale));
      weights.set(`bias_ih_${suffix}`, tensor(random, [gates], scale));
      weights.set(`bias_hh_${suffix}`, tensor(random, [gates], scale));
    }
  return weights;
}

export function makeTask(workload: Workload, seed: number): Task {
  const random = new Random(seed, 0);
  switch (workload.kind) {
    case 'sequence': {
      const { cell, steps, batch, inputSize, hiddenSize, numLayers, bidirectional } = workload;
      const weights = recurrentWeights(random, cell, [inputSize, hiddenSize], numLayers, bidirectional);
      return { ...workload, weights, input: draw(random, steps * batch * inputSize, 1) };
    }
    case 'stream': {
      const { cell, inputSize, hiddenSize } = workload;
      const weights = recurrentWeights(random, cell, [inputSize, hiddenSize]);
      const inputs = Array.from({ length: STREAM_INPUTS }, () => draw(random, inputSize, 1));
      return { ...workload, weights, inputs };
    }
    case 'training': {
      const { cell, steps, batch, classes, hiddenSize } = workload;
      const weights = recurrentWeights(random, cell, [classes, hiddenSize]);
      const scale = 1 / Math.sqrt(hiddenSize);
      const linear: Weights = new Map([
        ['weight', tensor(random, [classes, hiddenSize], scale)],
        ['bias', tensor(random, [classes], scale)],
      ]);
      const characters = Int32Array.from({ length: (steps + 1) * batch }, () => random.integer(classes));
      const input: Float32Array = new Float32Array(steps * batch * classes);
      for (let i = 0; i < steps * batch; i++) input[i * classes + characters[i]] = 1;
      return { ...workload, weights, linear, input, labels: characters.slice(batch) };
    }
    case 'matmul': {
      const { rows, inner, columns } = workload;
      return { ...workload, a: draw(random, rows * inner, 1), b: draw(random, inner * columns, 1) };
    }
    case 'embedding': {
      const { rows, columns, count } = workload;
      const tokens = Int32Array.from({ length: count }, () => random.integer(rows));
      return { ...workload, tokens, gradient: draw(random, count * columns, 1) };
    }
  }
}
