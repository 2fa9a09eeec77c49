// What a right answer is: the equations of torch.nn.LSTM, GRU and RNN row by row in plain float64, a product by its
// definition. A training step's losses are those of gatewise's CPU backend in float64, which its tests hold to PyTorch.
import { Random } from '../src/core/random.ts';
import {
  adam,
  createRuntime,
  crossEntropy,
  Linear,
  LSTM,
  Sequential,
  serializeSafetensors,
} from '../src/index.ts';
import type { NamedTensor } from '../src/index.ts';
import { CHECKED_RUNS, type Reference } from './check.ts';
import type { Variant } from './contestants/contestant.ts';
import type { Task, Weights } from './data.ts';
import type { RecurrentKind } from './workloads.ts';

/** Above this many FLOP a row, two rows are checked and not four. */
const DEAR_ROW = 1e9;

type Gru = Variant['gru'];
type Vector = Float64Array;
type TrainingTask = Extract<Task, { kind: 'training' }>;
type MatmulTask = Extract<Task, { kind: 'matmul' }>;

const PROBE_SEED = 99;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** weight · x + bias */
function affine(weights: Weights, part: string, suffix: string, x: Vector): Vector {
  const weight = weights.get(`weight_${part}_${suffix}`);
  const bias = weights.get(`bias_${part}_${suffix}`);
  if (weight === undefined || bias === undefined) throw new Error(`no weights ${part}_${suffix}`);
  return Float64Array.from(bias.data, (sum, row) => {
    for (let k = 0; k < x.length; k++) sum += weight.data[row * x.length + k] * x[k];
    return sum;
  });
}

const steps: Record<RecurrentKind, (weights: Weights, suffix: string, gru: Gru) => (x: Vector) => Vector> = {
  rnn: (weights, suffix) => {
    let h = new Float64Array(hiddenSizeOf(weights));
    return (x) => {
      const recurrent = affine(weights, 'hh', suffix, h);
      h = affine(weights, 'ih', suffix, x).map((a, i) => Math.tanh(a + recurrent[i]));
      return h;
    };
  },
  lstm: (weights, suffix) => {
    const H = hiddenSizeOf(weights);
    let h = new Float64Array(H);
    let c = new Float64Array(H);
    return (x) => {
      const recurrent = affine(weights, 'hh', suffix, h);
      const sum = affine(weights, 'ih', suffix, x).map((a, i) => a + recurrent[i]);
      c = c.map((old, u) => sigmoid(sum[H + u]) * old + sigmoid(sum[u]) * Math.tanh(sum[2 * H + u]));
      h = c.map((now, u) => sigmoid(sum[3 * H + u]) * Math.tanh(now));
      return h;
    };
  },
  gru: (weights, suffix, gru) => {
    const H = hiddenSizeOf(weights);
    let h = new Float64Array(H);
    return (x) => {
      const input = affine(weights, 'ih', suffix, x);
      const recurrent = affine(weights, 'hh', suffix, h);
      const gate = (g: number, u: number): number => sigmoid(input[g * H + u] + recurrent[g * H + u]);
      const reset = h.map((old, u) => gate(0, u) * old);
      const before = gru === 'reset before' ? affine(weights, 'hh', suffix, reset) : undefined;
      h = h.map((old, u) => {
        const product = before?.[2 * H + u] ?? gate(0, u) * recurrent[2 * H + u];
        return (1 - gate(1, u)) * Math.tanh(input[2 * H + u] + product) + gate(1, u) * old;
      });
      return h;
    };
  },
};

const hiddenSizeOf = (weights: Weights): number => weights.get('weight_hh_l0')?.shape[1] ?? 0;

/** All layers and directions over one row: outputs (T) of D·H. */
function runRow(
  cell: RecurrentKind,
  weights: Weights,
  gru: Gru,
  numLayers: number,
  bidirectional: boolean,
  inputs: readonly Vector[],
): readonly Vector[] {
  let values = inputs;
  for (let layer = 0; layer < numLayers; layer++) {
    const forward = values.map(steps[cell](weights, `l${layer}`, gru));
    if (!bidirectional) {
      values = forward;
      continue;
    }
    const step = steps[cell](weights, `l${layer}_reverse`, gru);
    const backward = values.toReversed().map(step).reverse();
    values = forward.map((h, t) => Float64Array.of(...h, ...backward[t]));
  }
  return values;
}

/** So many of 0 to size - 1, the last among them, and the first where there are more than two. */
function someOf(size: number, count: number): number[] {
  const parts = Math.max(1, count - 1);
  const all = Array.from({ length: count }, (_, i) =>
    count > 2 ? Math.round((i * (size - 1)) / parts) : Math.floor(((i + 1) * size) / count) - 1,
  );
  return [...new Set(all.map((at) => Math.max(0, at)))];
}

function get(weights: Weights, name: string): NamedTensor {
  const tensor = weights.get(name);
  if (tensor === undefined) throw new Error(`no weights ${name}`);
  return tensor;
}

/** A matrix (rows, width) with a column more. */
function withColumn(values: ArrayLike<number>, width: number, column: (row: number) => number): Float32Array {
  return Float32Array.from({ length: (values.length / width) * (width + 1) }, (_, i) => {
    const [row, at] = [Math.floor(i / (width + 1)), i % (width + 1)];
    return at === width ? column(row) : values[row * width + at];
  });
}

/** The losses of the first steps of training, in float64. */
async function lossesOf({ workload, data }: TrainingTask, biases: Variant['biases']): Promise<number[]> {
  const { steps, batch, classes, hiddenSize, learningRate } = workload;
  using runtime = await createRuntime({ backend: 'cpu', precision: 'float64' });
  const own = new Map([...data.weights].map(([name, tensor]) => [`0.${name}`, tensor]));
  let [x, width] = [data.input, classes];
  if (biases === 1) {
    // The one bias is what an input that is always 1 is multiplied with.
    const [weight, input, recurrent] = ['weight_ih', 'bias_ih', 'bias_hh'].map((name) =>
      get(data.weights, `${name}_l0`),
    );
    const sum = (row: number): number => input.data[row] + recurrent.data[row];
    own.set('0.weight_ih_l0', {
      ...weight,
      shape: [4 * hiddenSize, classes + 1],
      data: withColumn(weight.data, classes, sum),
    });
    own.delete('0.bias_ih_l0');
    own.delete('0.bias_hh_l0');
    x = withColumn(x, classes, () => 1);
    width++;
  }
  for (const [name, tensor] of data.linear) own.set(`1.${name}`, tensor);
  const model = new Sequential([
    new LSTM({ inputSize: width, hiddenSize, bias: biases === 2 }),
    new Linear(hiddenSize, classes),
  ]);
  using net = await runtime.load(model, { weights: serializeSafetensors(own) });
  using trainer = net.trainer({ loss: crossEntropy, optimizer: adam({ lr: learningRate }) });
  using inputs = runtime.tensor(x, { shape: [steps, batch, width] });
  using labels = runtime.tensor(data.labels, { shape: [steps, batch] });
  const losses: number[] = [];
  while (losses.length < CHECKED_RUNS.training) losses.push(await trainer.step(inputs, labels));
  return losses;
}

export async function makeReference(task: Task, { gru, biases }: Variant): Promise<Reference> {
  switch (task.kind) {
    case 'sequence': {
      const { cell, steps: T, batch, inputSize, hiddenSize, numLayers, bidirectional } = task.workload;
      const { weights, input } = task.data;
      const flop = 8 * T * numLayers * hiddenSize * (hiddenSize + inputSize);
      const rows = someOf(batch, flop < DEAR_ROW ? 4 : 2);
      const width = hiddenSize * (bidirectional ? 2 : 1);
      const parts = rows.flatMap((row) => {
        const inputs = Array.from({ length: T }, (_, t) => {
          const at = (t * batch + row) * inputSize;
          return Float64Array.from(input.subarray(at, at + inputSize));
        });
        const outputs = runRow(cell, weights, gru, numLayers, bidirectional, inputs);
        return outputs.map((values, t) => ({ at: (t * batch + row) * width, values }));
      });
      return { runs: [parts], repeats: true, size: T * batch * width };
    }
    case 'stream': {
      const { cell, hiddenSize } = task.workload;
      const { weights, inputs } = task.data;
      const first = inputs.slice(0, CHECKED_RUNS.stream).map((x) => Float64Array.from(x));
      const outputs = runRow(cell, weights, gru, 1, false, first);
      return { runs: outputs.map((values) => [{ at: 0, values }]), repeats: false, size: hiddenSize };
    }
    case 'training': {
      const losses = await lossesOf(task, biases);
      return {
        runs: losses.map((loss) => [{ at: 0, values: Float64Array.of(loss) }]),
        repeats: false,
        size: 1,
      };
    }
    case 'matmul': {
      const { rows: M, inner, columns } = task.workload;
      const { a, b } = task.data;
      const rows = someOf(M, 3);
      const product = (row: number): Vector => {
        const sums = new Float64Array(columns);
        for (let k = 0; k < inner; k++)
          for (let n = 0; n < columns; n++) sums[n] += a[row * inner + k] * b[k * columns + n];
        return sums;
      };
      const parts = rows.map((row) => ({ at: row * columns, values: product(row) }));
      return { runs: [parts], repeats: true, size: M * columns, offOf: (answer) => probe(task, answer) };
    }
  }
}

/**
 * Every row of a product: (A · B) · v beside A · (B · v), for signs v. Rounding adds up like a random walk, so that a
 * sum over a row is off by as many numbers' worth as the square root of their count.
 */
function probe({ workload, data: { a, b } }: MatmulTask, answer: Float32Array): number {
  const { rows, inner, columns } = workload;
  const random = new Random(PROBE_SEED, 0);
  const v = Float64Array.from({ length: columns }, () => (random.integer(2) === 0 ? -1 : 1));
  const times = (matrix: Float32Array, height: number, x: Vector): Vector =>
    Float64Array.from({ length: height }, (_, row) => {
      let sum = 0;
      for (let k = 0; k < x.length; k++) sum += matrix[row * x.length + k] * x[k];
      return sum;
    });
  const expected = times(a, rows, times(b, inner, v));
  const got = times(answer, rows, v);
  let most = 0;
  for (let row = 0; row < rows; row++) {
    const off = Math.abs(got[row] - expected[row]);
    if (Number.isNaN(off)) return off;
    most = Math.max(most, off);
  }
  return most / Math.sqrt(columns);
}
