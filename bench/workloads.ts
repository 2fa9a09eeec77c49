// What is measured. Symbols as in PyTorch: T steps, B rows, I inputs, H hidden units.

export type RecurrentKind = 'lstm' | 'gru' | 'rnn';

/** `quick` is for software adapters, `full` for any, `gpu` for real ones; `trial` takes seconds, to try the benchmark itself. */
export const setNames = ['quick', 'full', 'gpu', 'trial'] as const;
export type SetName = (typeof setNames)[number];

interface Named {
  readonly name: string;
  readonly sets: readonly SetName[];
}

type Sizes<Names extends string> = Readonly<Record<Names, number>>;

/** All outputs of a sequence, (T, B, D·H), from zero states. */
export interface SequenceWorkload
  extends Named, Sizes<'steps' | 'batch' | 'inputSize' | 'hiddenSize' | 'numLayers'> {
  readonly kind: 'sequence';
  readonly cell: RecurrentKind;
  readonly bidirectional: boolean;
}

/** One step of one sequence: the input comes from the host, the state stays on the device, the output (H) is read back. */
export interface StreamWorkload extends Named, Sizes<'inputSize' | 'hiddenSize'> {
  readonly kind: 'stream';
  readonly cell: RecurrentKind;
}

/**
 * A training step of a character model: LSTM(classes → H) over one-hot characters (T, B, classes), a linear layer
 * (H → classes), cross-entropy averaged over T · B, Adam. The batch comes from the host, the loss stays on the device.
 */
export interface TrainingWorkload
  extends Named, Sizes<'steps' | 'batch' | 'classes' | 'hiddenSize' | 'learningRate'> {
  readonly kind: 'training';
  readonly cell: 'lstm';
}

/** A matrix product (M, K) · (K, N) of operands on the device. */
export interface MatmulWorkload extends Named, Sizes<'rows' | 'inner' | 'columns'> {
  readonly kind: 'matmul';
}

/** The gradient of a table (rows, columns) by the gradients of `count` rows that were taken of it (count, columns). */
export interface EmbeddingWorkload extends Named, Sizes<'rows' | 'columns' | 'count'> {
  readonly kind: 'embedding';
}

export type Workload =
  | SequenceWorkload
  | StreamWorkload
  | TrainingWorkload
  | MatmulWorkload
  | EmbeddingWorkload;

type Sets = readonly SetName[];
type Four = readonly [number, number, number, number];

const sequence = (
  name: string,
  sets: Sets,
  cell: RecurrentKind,
  [steps, batch, inputSize, hiddenSize]: Four,
  { numLayers = 1, bidirectional = false } = {},
): SequenceWorkload => {
  const sizes = { steps, batch, inputSize, hiddenSize, numLayers, bidirectional };
  return { kind: 'sequence', name, sets, cell, ...sizes };
};

const stream = (
  name: string,
  sets: Sets,
  cell: RecurrentKind,
  [inputSize, hiddenSize]: readonly [number, number],
): StreamWorkload => ({ kind: 'stream', name, sets, cell, inputSize, hiddenSize });

const training = (name: string, sets: Sets, [steps, batch, classes, hiddenSize]: Four): TrainingWorkload => {
  // High enough that a step that was not taken shows in the checked losses.
  const sizes = { steps, batch, classes, hiddenSize, learningRate: 5e-3 };
  return { kind: 'training', name, sets, cell: 'lstm', ...sizes };
};

const matmul = (
  name: string,
  sets: Sets,
  [rows, inner, columns]: readonly [number, number, number],
): MatmulWorkload => ({ kind: 'matmul', name, sets, rows, inner, columns });

const embedding = (
  name: string,
  sets: Sets,
  [rows, columns, count]: readonly [number, number, number],
): EmbeddingWorkload => ({ kind: 'embedding', name, sets, rows, columns, count });

const anywhere = ['full', 'gpu'] as const;

export const workloads: readonly Workload[] = [
  sequence('sequence-lstm', anywhere, 'lstm', [64, 16, 256, 256]),
  // A quarter of the steps: on a software adapter TF.js takes eight seconds for all.
  sequence('sequence-lstm-short', ['quick'], 'lstm', [16, 16, 256, 256]),
  sequence('sequence-gru', anywhere, 'gru', [64, 16, 256, 256]),
  sequence('sequence-rnn', anywhere, 'rnn', [64, 16, 256, 256]),
  sequence('long', anywhere, 'lstm', [512, 1, 128, 128]),
  sequence('wide', anywhere, 'lstm', [32, 64, 512, 512]),
  sequence('deep', anywhere, 'lstm', [32, 8, 128, 128], { numLayers: 4, bidirectional: true }),
  stream('stream-lstm', ['quick', ...anywhere], 'lstm', [256, 256]),
  stream('stream-gru', anywhere, 'gru', [256, 256]),
  training('training', anywhere, [64, 16, 64, 256]),
  training('training-short', ['quick'], [4, 16, 64, 256]),
  matmul('matmul', anywhere, [512, 256, 1024]),
  matmul('matmul-short', ['quick'], [256, 256, 512]),
  matmul('matmul-square', anywhere, [512, 512, 512]),
  matmul('matmul-skinny', anywhere, [16, 512, 2048]),
  embedding('embedding-gradient', ['quick', ...anywhere], [10000, 200, 400]),
  sequence('large', ['gpu'], 'lstm', [256, 64, 1024, 1024]),
  matmul('matmul-large', ['gpu'], [4096, 4096, 4096]),
  // Length and batch of FlashRNN's benchmark.
  sequence('flash-64', ['gpu'], 'lstm', [1024, 16, 64, 64]),
  sequence('flash-128', ['gpu'], 'lstm', [1024, 16, 128, 128]),
  sequence('flash-256', ['gpu'], 'lstm', [1024, 16, 256, 256]),
  sequence('flash-768', ['gpu'], 'lstm', [1024, 16, 768, 768]),
  sequence('trial-lstm', ['trial'], 'lstm', [5, 3, 4, 8]),
  sequence('trial-gru', ['trial'], 'gru', [5, 3, 4, 8]),
  sequence('trial-rnn', ['trial'], 'rnn', [5, 3, 4, 8]),
  sequence('trial-deep', ['trial'], 'lstm', [3, 2, 4, 8], { numLayers: 2, bidirectional: true }),
  stream('trial-stream', ['trial'], 'lstm', [4, 8]),
  stream('trial-stream-gru', ['trial'], 'gru', [4, 8]),
  training('trial-training', ['trial'], [5, 3, 6, 8]),
  matmul('trial-matmul', ['trial'], [9, 8, 12]),
  embedding('trial-embedding', ['trial'], [7, 3, 40]),
];

export const workloadsOf = (set: SetName): readonly Workload[] =>
  workloads.filter(({ sets }) => sets.includes(set));

/** Sizes for people: `LSTM 256 → 256, T 64, B 16, forward`. */
export function describeWorkload(workload: Workload): string {
  switch (workload.kind) {
    case 'sequence': {
      const { cell, steps, batch, inputSize, hiddenSize, numLayers, bidirectional } = workload;
      const layers = numLayers === 1 ? '' : `, ${numLayers} layers`;
      const directions = bidirectional ? ', both directions' : '';
      return `${cell.toUpperCase()} ${inputSize} → ${hiddenSize}${layers}${directions}, T ${steps}, B ${batch}, forward`;
    }
    case 'stream':
      return `${workload.cell.toUpperCase()} ${workload.inputSize} → ${workload.hiddenSize}, one step, B 1, result on the CPU`;
    case 'training': {
      const { steps, batch, classes, hiddenSize } = workload;
      return `training step: LSTM ${classes} → ${hiddenSize}, linear → ${classes}, Adam, T ${steps}, B ${batch}`;
    }
    case 'matmul':
      return `matrix product ${workload.rows} × ${workload.inner} × ${workload.columns}`;
    case 'embedding':
      return `gradient of an embedding ${workload.rows} × ${workload.columns}, ${workload.count} tokens`;
  }
}
