// The numbers of a workload, the same for every contestant: drawn from a seed, weights under PyTorch's names.
import { Random } from '../src/core/random.ts';
import type { NamedTensor } from '../src/index.ts';
import type {
  MatmulWorkload,
  SequenceWorkload,
  StreamWorkload,
  TrainingWorkload,
  Workload,
} from './workloads.ts';

export type Weights = ReadonlyMap<string, NamedTensor>;

export interface SequenceData {
  /** As of `torch.nn.LSTM`: `weight_ih_l0`, `bias_hh_l0_reverse`, … */
  readonly weights: Weights;
  /** (T, B, I) */
  readonly input: Float32Array;
}
export interface StreamData {
  readonly weights: Weights;
  /** Inputs (I) of steps, to be gone through again and again. */
  readonly inputs: readonly Float32Array[];
}
export interface TrainingData {
  /** Of the recurrent layer, and of the linear one: `weight` (classes, H), `bias` (classes). */
  readonly weights: Weights;
  readonly linear: Weights;
  /** One-hot characters (T, B, classes). */
  readonly input: Float32Array;
  /** The characters that follow, (T, B). */
  readonly labels: Int32Array;
}
export interface MatmulData {
  /** (M, K) */
  readonly a: Float32Array;
  /** (K, N) */
  readonly b: Float32Array;
}

/** A workload with its numbers. */
export type Task =
  | { readonly kind: 'sequence'; readonly workload: SequenceWorkload; readonly data: SequenceData }
  | { readonly kind: 'stream'; readonly workload: StreamWorkload; readonly data: StreamData }
  | { readonly kind: 'training'; readonly workload: TrainingWorkload; readonly data: TrainingData }
  | { readonly kind: 'matmul'; readonly workload: MatmulWorkload; readonly data: MatmulData };

const GATES = { lstm: 4, gru: 3, rnn: 1 } as const;
/** Inputs of a stream before they begin anew. */
const STREAM_INPUTS = 16;

/** Uniform in [-scale, scale). */
function draw(random: Random, size: number, scale: number): Float32Array {
  return Float32Array.from({ length: size }, () => random.uniform(-scale, scale));
}

const tensor = (random: Random, shape: readonly number[], scale: number): NamedTensor => ({
  dtype: 'f32',
  shape: [...shape],
  data: draw(
    random,
    shape.reduce((a, b) => a * b),
    scale,
  ),
});

/** Within ±1/√H, as PyTorch starts. */
function recurrentWeights(
  random: Random,
  cell: keyof typeof GATES,
  inputSize: number,
  hiddenSize: number,
  numLayers = 1,
  bidirectional = false,
): Weights {
  const scale = 1 / Math.sqrt(hiddenSize);
  const gates = GATES[cell] * hiddenSize;
  const weights = new Map<string, NamedTensor>();
  for (let layer = 0; layer < numLayers; layer++) {
    for (const suffix of bidirectional ? ['', '_reverse'] : ['']) {
      const width = layer === 0 ? inputSize : hiddenSize * (bidirectional ? 2 : 1);
      weights.set(`weight_ih_l${layer}${suffix}`, tensor(random, [gates, width], scale));
      weights.set(`weight_hh_l${layer}${suffix}`, tensor(random, [gates, hiddenSize], scale));
      weights.set(`bias_ih_l${layer}${suffix}`, tensor(random, [gates], scale));
      weights.set(`bias_hh_l${layer}${suffix}`, tensor(random, [gates], scale));
    }
  }
  return weights;
}

export function makeTask(workload: Workload, seed: number): Task {
  const random = new Random(seed, 0);
  switch (workload.kind) {
    case 'sequence': {
      const { cell, steps, batch, inputSize, hiddenSize, numLayers, bidirectional } = workload;
      const weights = recurrentWeights(random, cell, inputSize, hiddenSize, numLayers, bidirectional);
      return {
        kind: 'sequence',
        workload,
        data: { weights, input: draw(random, steps * batch * inputSize, 1) },
      };
    }
    case 'stream': {
      const { cell, inputSize, hiddenSize } = workload;
      const weights = recurrentWeights(random, cell, inputSize, hiddenSize);
      const inputs = Array.from({ length: STREAM_INPUTS }, () => draw(random, inputSize, 1));
      return { kind: 'stream', workload, data: { weights, inputs } };
    }
    case 'training': {
      const { cell, steps, batch, classes, hiddenSize } = workload;
      const weights = recurrentWeights(random, cell, classes, hiddenSize);
      const scale = 1 / Math.sqrt(hiddenSize);
      const linear = new Map([
        ['weight', tensor(random, [classes, hiddenSize], scale)],
        ['bias', tensor(random, [classes], scale)],
      ]);
      const characters = Int32Array.from({ length: (steps + 1) * batch }, () => random.integer(classes));
      const input = new Float32Array(steps * batch * classes);
      for (let i = 0; i < steps * batch; i++) input[i * classes + characters[i]] = 1;
      return {
        kind: 'training',
        workload,
        data: { weights, linear, input, labels: characters.slice(batch) },
      };
    }
    case 'matmul': {
      const { rows, inner, columns } = workload;
      return {
        kind: 'matmul',
        workload,
        data: { a: draw(random, rows * inner, 1), b: draw(random, inner * columns, 1) },
      };
    }
  }
}
