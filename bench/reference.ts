// What a right answer is: the equations of torch.nn.LSTM, GRU and RNN row by row in plain float64, a product by its
// definition. A training step's losses are those of gatewise's CPU backend in float64, which its tests hold to PyTorch.
import { createRuntime } from '../src/index.ts';
import { answersOf, CHECKED_RUNS, type Reference } from './check.ts';
import type { Contestant } from './contestants/contestant.ts';
import { gatewiseJob } from './contestants/gatewise.ts';
import type { Task, Weights } from './data.ts';
import type { RecurrentKind } from './workloads.ts';

/** Above this many FLOP a row, one row is checked and not two. */
const DEAR_ROW = 1e9;

type Gru = Contestant['gru'];
type Vector = Float64Array;

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

export async function makeReference(task: Task, gru: Gru): Promise<Reference> {
  switch (task.kind) {
    case 'sequence': {
      const { cell, steps: T, batch, inputSize, hiddenSize, numLayers, bidirectional } = task.workload;
      const { weights, input } = task.data;
      const flop = 8 * T * numLayers * hiddenSize * (hiddenSize + inputSize);
      const rows = batch > 1 && flop < DEAR_ROW ? [0, batch - 1] : [batch - 1];
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
      const runtime = await createRuntime({ backend: 'cpu', precision: 'float64' });
      const job = await gatewiseJob(runtime, task);
      const { answers } = await answersOf(job, task);
      runtime.dispose();
      const runs = answers.map((loss) => [{ at: 0, values: Float64Array.from(loss) }]);
      return { runs, repeats: false, size: 1 };
    }
    case 'matmul': {
      const { rows: M, inner, columns } = task.workload;
      const { a, b } = task.data;
      const rows = [0, M - 1];
      const product = (row: number): Vector => {
        const sums = new Float64Array(columns);
        for (let k = 0; k < inner; k++)
          for (let n = 0; n < columns; n++) sums[n] += a[row * inner + k] * b[k * columns + n];
        return sums;
      };
      const parts = rows.map((row) => ({ at: row * columns, values: product(row) }));
      return { runs: [parts], repeats: true, size: M * columns };
    }
  }
}
