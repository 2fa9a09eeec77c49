// What is measured. Sizes are PyTorch's: T steps, B rows, I inputs, H hidden units.

export type RecurrentKind = 'lstm' | 'gru' | 'rnn';

interface Named {
  readonly name: string;
  /** In which sets it is: `quick` is for software adapters, `full` for any adapter, `gpu` for real ones. */
  readonly sets: readonly WorkloadSet[];
}

export type WorkloadSet = 'quick' | 'full' | 'gpu';

/** All outputs of a whole sequence, (T, B, D·H), from zero states. */
export interface SequenceWorkload extends Named {
  readonly kind: 'sequence';
  readonly cell: RecurrentKind;
  readonly steps: number;
  readonly batch: number;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly bidirectional: boolean;
}

/** One step of one sequence, with the input from the host, the state carried on and the output (H) back on the host. */
export interface StreamWorkload extends Named {
  readonly kind: 'stream';
  readonly cell: RecurrentKind;
  readonly inputSize: number;
  readonly hiddenSize: number;
}

/**
 * A step of training a character model: LSTM(classes → H) over one-hot characters (T, B, classes), a linear layer
 * (H → classes), cross-entropy averaged over T · B, Adam. The batch comes from the host, the loss stays on the device.
 */
export interface TrainingWorkload extends Named {
  readonly kind: 'training';
  readonly cell: 'lstm';
  readonly steps: number;
  readonly batch: number;
  readonly classes: number;
  readonly hiddenSize: number;
  readonly learningRate: number;
}

/** A matrix product (M, K) · (K, N) of operands that lie on the device. */
export interface MatmulWorkload extends Named {
  readonly kind: 'matmul';
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

export type Workload = SequenceWorkload | StreamWorkload | TrainingWorkload | MatmulWorkload;

const sequence = (
  name: string,
  sets: readonly WorkloadSet[],
  cell: RecurrentKind,
  [steps, batch, inputSize, hiddenSize]: readonly [T: number, B: number, I: number, H: number],
  more: { numLayers?: number; bidirectional?: boolean } = {},
): SequenceWorkload => ({
  kind: 'sequence',
  name,
  sets,
  cell,
  steps,
  batch,
  inputSize,
  hiddenSize,
  numLayers: more.numLayers ?? 1,
  bidirectional: more.bidirectional ?? false,
});

const matmul = (
  name: string,
  sets: readonly WorkloadSet[],
  [rows, inner, columns]: readonly [M: number, K: number, N: number],
): MatmulWorkload => ({ kind: 'matmul', name, sets, rows, inner, columns });

const training = (
  name: string,
  sets: readonly WorkloadSet[],
  [steps, batch, classes, hiddenSize]: readonly [T: number, B: number, classes: number, H: number],
): TrainingWorkload => ({
  kind: 'training',
  name,
  sets,
  cell: 'lstm',
  steps,
  batch,
  classes,
  hiddenSize,
  // High enough that the losses that are checked show a step that was not taken.
  learningRate: 5e-3,
});

const everywhere = ['quick', 'full', 'gpu'] as const;
const withTime = ['full', 'gpu'] as const;

export const workloads: readonly Workload[] = [
  sequence('sequence-lstm', withTime, 'lstm', [64, 16, 256, 256]),
  // A quarter of it, as TF.js takes eight seconds for the whole one on a software adapter.
  sequence('sequence-lstm-short', ['quick'], 'lstm', [16, 16, 256, 256]),
  sequence('sequence-gru', withTime, 'gru', [64, 16, 256, 256]),
  sequence('sequence-rnn', withTime, 'rnn', [64, 16, 256, 256]),
  sequence('long', withTime, 'lstm', [512, 1, 128, 128]),
  sequence('wide', withTime, 'lstm', [32, 64, 512, 512]),
  sequence('deep', withTime, 'lstm', [32, 8, 128, 128], { numLayers: 4, bidirectional: true }),
  { kind: 'stream', name: 'stream-lstm', sets: everywhere, cell: 'lstm', inputSize: 256, hiddenSize: 256 },
  { kind: 'stream', name: 'stream-gru', sets: withTime, cell: 'gru', inputSize: 256, hiddenSize: 256 },
  training('training', withTime, [64, 16, 64, 256]),
  // A sixteenth: half a minute.
  training('training-short', ['quick'], [4, 16, 64, 256]),
  matmul('matmul', withTime, [512, 256, 1024]),
  // A quarter: a second, many times over.
  matmul('matmul-short', ['quick'], [256, 256, 512]),
  matmul('matmul-square', withTime, [512, 512, 512]),
  matmul('matmul-skinny', withTime, [16, 512, 2048]),
  // For real GPUs. The last four are FlashRNN's length and batch.
  sequence('large', ['gpu'], 'lstm', [256, 64, 1024, 1024]),
  matmul('matmul-large', ['gpu'], [4096, 4096, 4096]),
  sequence('flash-64', ['gpu'], 'lstm', [1024, 16, 64, 64]),
  sequence('flash-128', ['gpu'], 'lstm', [1024, 16, 128, 128]),
  sequence('flash-256', ['gpu'], 'lstm', [1024, 16, 256, 256]),
  sequence('flash-768', ['gpu'], 'lstm', [1024, 16, 768, 768]),
];

/** The same kinds of work in a few milliseconds each: to try the benchmark itself. */
export const trialWorkloads: readonly Workload[] = [
  sequence('trial-lstm', [], 'lstm', [5, 3, 4, 8]),
  sequence('trial-gru', [], 'gru', [5, 3, 4, 8]),
  sequence('trial-rnn', [], 'rnn', [5, 3, 4, 8]),
  sequence('trial-deep', [], 'lstm', [3, 2, 4, 8], { numLayers: 2, bidirectional: true }),
  { kind: 'stream', name: 'trial-stream', sets: [], cell: 'lstm', inputSize: 4, hiddenSize: 8 },
  { kind: 'stream', name: 'trial-stream-gru', sets: [], cell: 'gru', inputSize: 4, hiddenSize: 8 },
  training('trial-training', [], [5, 3, 6, 8]),
  matmul('trial-matmul', [], [9, 8, 12]),
];

/** Of workloads; `trial` is small enough to try the benchmark itself. */
export const setNames = ['quick', 'full', 'gpu', 'trial'] as const;
export type SetName = (typeof setNames)[number];

export const workloadsOf = (set: SetName): readonly Workload[] =>
  set === 'trial' ? trialWorkloads : workloads.filter(({ sets }) => sets.includes(set));

/** What a workload is, for people: `LSTM 256 → 256, T 64, B 16`. */
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
  }
}
