// The benchmark's right answers, held to gatewise's CPU backend: two computations that share no code.
import { expect, test } from 'vitest';

import { answersOf, CHECKED_RUNS, errorOf, TOLERANCE } from '../../bench/check.ts';
import { gatewiseJob } from '../../bench/contestants/gatewise.ts';
import { makeTask, type Task } from '../../bench/data.ts';
import { makeReference } from '../../bench/reference.ts';
import {
  trialWorkloads,
  workloads,
  type MatmulWorkload,
  type SequenceWorkload,
} from '../../bench/workloads.ts';
import { createRuntime, gruResetBefore, Recurrent, serializeSafetensors } from '../../src/index.ts';

const torch = { gru: 'reset after', biases: 2 } as const;

test.for(trialWorkloads.map((workload) => [workload.name, workload] as const))(
  '%s: the reference and the CPU backend agree',
  async ([, workload]) => {
    const task = makeTask(workload, 3);
    const reference = await makeReference(task, torch);
    using runtime = await createRuntime({ backend: 'cpu' });
    const job = await gatewiseJob(runtime, task);
    const { answers, firstAt } = await answersOf(job, task);
    expect(firstAt).toBeGreaterThan(0);
    expect(answers).toHaveLength(CHECKED_RUNS[task.kind]);
    expect(errorOf(answers, reference)).toBeLessThan(2e-6);
    // Each number that is compared counts, of the last run as of the first: one that is off is seen.
    const part = reference.runs.at(-1)?.at(-1);
    if (part === undefined) throw new Error('expected numbers');
    answers[answers.length - 1][part.at + part.values.length - 1] += 0.5;
    expect(errorOf(answers, reference)).toBeGreaterThan(0.1);
    job.dispose();
  },
);

test('a GRU with the reset before the product has an answer of its own', async () => {
  const workload: SequenceWorkload = {
    kind: 'sequence',
    name: 'gru',
    sets: [],
    cell: 'gru',
    steps: 4,
    batch: 2,
    inputSize: 3,
    hiddenSize: 5,
    numLayers: 1,
    bidirectional: false,
  };
  const task = makeTask(workload, 5);
  if (task.kind !== 'sequence') throw new Error('expected a sequence');
  using runtime = await createRuntime({ backend: 'cpu' });
  const layer = new Recurrent('GRU', gruResetBefore, { inputSize: 3, hiddenSize: 5 });
  const net = await runtime.load(layer, { weights: serializeSafetensors(task.data.weights) });
  const output = await net.run(runtime.tensor(task.data.input, { shape: [4, 2, 3] })).read();
  const values = Float32Array.from(output);
  expect(errorOf([values], await makeReference(task, { ...torch, gru: 'reset before' }))).toBeLessThan(2e-6);
  expect(errorOf([values], await makeReference(task, torch))).toBeGreaterThan(1e-3);
});

test('the same seed gives the same numbers, another one others', () => {
  for (const workload of trialWorkloads) {
    expect(makeTask(workload, 1)).toEqual(makeTask(workload, 1));
    expect(makeTask(workload, 1)).not.toEqual(makeTask(workload, 2));
  }
});

test('training labels are the characters that follow the inputs', () => {
  const workload = trialWorkloads.find(({ kind }) => kind === 'training');
  const task = workload && makeTask(workload, 1);
  if (task?.kind !== 'training') throw new Error('expected a training workload');
  const { steps, batch, classes } = task.workload;
  const { input, labels } = task.data;
  expect(labels).toHaveLength(steps * batch);
  for (let i = 0; i < (steps - 1) * batch; i++) {
    const next = input.subarray((i + batch) * classes, (i + batch + 1) * classes);
    expect(next[labels[i]]).toBe(1);
    expect(next.reduce((a, b) => a + b)).toBe(1);
  }
});

test('a stream has inputs enough for its check, and workloads have names of their own', () => {
  const all = [...workloads, ...trialWorkloads];
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  const stream = all.find(({ kind }) => kind === 'stream');
  const task = stream && makeTask(stream, 1);
  if (task?.kind !== 'stream') throw new Error('expected a stream');
  expect(task.data.inputs.length).toBeGreaterThanOrEqual(CHECKED_RUNS.stream);
});

interface Wrongness {
  /** Gradients end at the step that they come from. */
  readonly truncated?: boolean;
  /** Never updated. */
  readonly fixed?: string;
}

/** Training as the benchmark has it, written out in plain numbers: the losses of its first steps. */
function trainByHand(task: Task, { truncated = false, fixed }: Wrongness): Float32Array[] {
  if (task.kind !== 'training') throw new Error('expected a training workload');
  const { steps: T, batch: B, classes: C, hiddenSize: H, learningRate } = task.workload;
  const { weights, linear, input, labels } = task.data;
  const parameters = new Map(
    [...weights, ...linear].map(([name, { data }]) => [name, Float64Array.from(data)] as const),
  );
  const get = (name: string): Float64Array => parameters.get(name) ?? new Float64Array();
  const [wi, wh, bi, bh] = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'].map((name) => get(`${name}_l0`));
  const [w, b] = [get('weight'), get('bias')];
  const moments = new Map(
    [...parameters].map(([name, { length }]) => [
      name,
      { m: new Float64Array(length), v: new Float64Array(length) },
    ]),
  );
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  const losses: Float32Array[] = [];
  for (let step = 1; step <= CHECKED_RUNS.training; step++) {
    const gradients = new Map([...parameters].map(([name, { length }]) => [name, new Float64Array(length)]));
    const into = (name: string): Float64Array => gradients.get(name) ?? new Float64Array();
    const [gwi, gwh, gbi, gbh] = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'].map((name) =>
      into(`${name}_l0`),
    );
    const [gw, gb] = [into('weight'), into('bias')];
    let loss = 0;
    for (let row = 0; row < B; row++) {
      const hs = [new Float64Array(H)];
      const cs = [new Float64Array(H)];
      const gates: Float64Array[] = [];
      const dLogits: Float64Array[] = [];
      for (let t = 0; t < T; t++) {
        const x = input.subarray((t * B + row) * C, (t * B + row + 1) * C);
        const a = Float64Array.from({ length: 4 * H }, (_, g) => {
          let sum = bi[g] + bh[g];
          for (let k = 0; k < C; k++) sum += wi[g * C + k] * x[k];
          for (let k = 0; k < H; k++) sum += wh[g * H + k] * hs[t][k];
          return g >= 2 * H && g < 3 * H ? Math.tanh(sum) : sigmoid(sum);
        });
        gates.push(a);
        const c = cs[t].map((old, u) => a[H + u] * old + a[u] * a[2 * H + u]);
        cs.push(c);
        hs.push(c.map((now, u) => a[3 * H + u] * Math.tanh(now)));
        const exps = b.map((bias, n) => {
          let sum = bias;
          for (let k = 0; k < H; k++) sum += w[n * H + k] * hs[t + 1][k];
          return Math.exp(sum);
        });
        const total = exps.reduce((p, q) => p + q, 0);
        const label = labels[t * B + row];
        loss -= Math.log(exps[label] / total) / (T * B);
        dLogits.push(exps.map((e, n) => (e / total - (n === label ? 1 : 0)) / (T * B)));
      }
      let dh = new Float64Array(H);
      let dc = new Float64Array(H);
      for (let t = T - 1; t >= 0; t--) {
        if (truncated) [dh, dc] = [new Float64Array(H), new Float64Array(H)];
        const a = gates[t];
        dLogits[t].forEach((d, n) => {
          gb[n] += d;
          for (let k = 0; k < H; k++) {
            gw[n * H + k] += d * hs[t + 1][k];
            dh[k] += d * w[n * H + k];
          }
        });
        const da = new Float64Array(4 * H);
        for (let u = 0; u < H; u++) {
          const tanh = Math.tanh(cs[t + 1][u]);
          const [i, f, g, o] = [a[u], a[H + u], a[2 * H + u], a[3 * H + u]];
          const d = dc[u] + dh[u] * o * (1 - tanh * tanh);
          da[u] = d * g * i * (1 - i);
          da[H + u] = d * cs[t][u] * f * (1 - f);
          da[2 * H + u] = d * i * (1 - g * g);
          da[3 * H + u] = dh[u] * tanh * o * (1 - o);
          dc[u] = d * f;
        }
        dh = new Float64Array(H);
        da.forEach((d, g) => {
          gbi[g] += d;
          gbh[g] += d;
          for (let k = 0; k < C; k++) gwi[g * C + k] += d * input[(t * B + row) * C + k];
          for (let k = 0; k < H; k++) {
            gwh[g * H + k] += d * hs[t][k];
            dh[k] += d * wh[g * H + k];
          }
        });
      }
    }
    losses.push(Float32Array.of(loss));
    for (const [name, values] of parameters) {
      const { m, v } = moments.get(name) ?? { m: values, v: values };
      if (name === fixed) continue;
      into(name).forEach((gradient, k) => {
        m[k] += 0.1 * (gradient - m[k]);
        v[k] += 0.001 * (gradient * gradient - v[k]);
        const root = Math.sqrt(v[k] / (1 - 0.999 ** step)) + 1e-8;
        values[k] -= ((learningRate / (1 - 0.9 ** step)) * m[k]) / root;
      });
    }
  }
  return losses;
}

test('training: right losses pass, and those of gradients that are not all there do not', async () => {
  const workload = trialWorkloads.find(({ kind }) => kind === 'training');
  if (workload === undefined) throw new Error('expected a training workload');
  const task = makeTask(workload, 1);
  const [two, one] = [await makeReference(task, torch), await makeReference(task, { ...torch, biases: 1 })];
  expect(errorOf(trainByHand(task, {}), two)).toBeLessThan(1e-6);
  expect(errorOf(trainByHand(task, { fixed: 'bias_hh_l0' }), one)).toBeLessThan(1e-6);
  expect(errorOf(trainByHand(task, { fixed: 'bias_hh_l0' }), two)).toBeGreaterThan(2 * TOLERANCE);
  expect(errorOf(trainByHand(task, {}), one)).toBeGreaterThan(2 * TOLERANCE);
  expect(errorOf(trainByHand(task, { truncated: true }), two)).toBeGreaterThan(2 * TOLERANCE);
});

test('a product is wrong where any row is, and where its operands were float16', async () => {
  const workload: MatmulWorkload = { kind: 'matmul', name: 'm', sets: [], rows: 40, inner: 64, columns: 48 };
  const task = makeTask(workload, 1);
  if (task.kind !== 'matmul') throw new Error('expected a product');
  const reference = await makeReference(task, torch);
  const { a, b } = task.data;
  const product = (round: (x: number) => number): Float32Array =>
    Float32Array.from({ length: 40 * 48 }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < 64; k++)
        sum = Math.fround(sum + round(a[Math.floor(i / 48) * 64 + k]) * round(b[k * 48 + (i % 48)]));
      return sum;
    });
  const right = product((x) => x);
  expect(errorOf([right], reference)).toBeLessThan(TOLERANCE / 20);
  for (let row = 0; row < 40; row++)
    expect(errorOf([right.map((x, i) => (i === row * 48 + 7 ? x + 0.01 : x))], reference)).toBeGreaterThan(
      TOLERANCE,
    );
  const half = (x: number): number => Math.round(x * 2048) / 2048;
  expect(errorOf([product(half)], reference)).toBeGreaterThan(2 * TOLERANCE);
});
