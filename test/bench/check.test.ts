// Whether an answer is right: the reference in float64 beside other computations, and errors that must be seen.
import { expect, test } from 'vitest';

import {
  answersOf,
  CHECKED_RUNS,
  errorOf,
  lateErrorOf,
  makeReference,
  TOLERANCE,
} from '../../bench/check.ts';
import { gatewiseJob } from '../../bench/contestants/gatewise.ts';
import { makeTask, weightOf, type Task } from '../../bench/data.ts';
import { workloads, workloadsOf } from '../../bench/workloads.ts';
import { library as gatewise } from '../../bench/contestants/own_library.ts';

const taskOf = <K extends Task['kind']>(_: K, name: string): Extract<Task, { kind: K }> =>
  makeTask(
    workloads.find((one) => one.name === name)!,
    3,
  ) as Extract<Task, { kind: K }>;

test.for(workloadsOf('trial').map(({ name }) => name))(
  '%s: float32 is right, and any number that is off is seen',
  async (name) => {
    const task = makeTask(
      workloads.find((one) => one.name === name)!,
      3,
    );
    const reference = await makeReference(task, {});
    using runtime = await gatewise.createRuntime({ backend: 'cpu' });
    const job = await gatewiseJob(gatewise, runtime, task);
    const { answers, firstAt } = await answersOf(job, CHECKED_RUNS[task.kind]);
    expect(firstAt).toBeGreaterThan(0);
    expect(errorOf(answers, reference)).toBeLessThan(TOLERANCE / 10);
    const last = answers.at(-1)!;
    for (let at = 0; at < last.length; at++) {
      const right = last[at]!;
      last[at] = right + 0.5;
      expect(errorOf(answers, reference)).toBeGreaterThan(0.01);
      last[at] = Number.NaN;
      expect(errorOf(answers, reference)).toBeNaN();
      expect(lateErrorOf(last, reference)).toBeNaN();
      last[at] = right;
    }
    expect(() => errorOf([last.slice(1)], reference)).toThrow(/expected \d+ numbers, got/);
    job.dispose();
  },
);

test('the first step of an RNN is tanh(W · x + b), of the last row', async () => {
  const task = taskOf('sequence', 'trial-rnn');
  const [wi, bi, bh] = ['weight_ih', 'bias_ih', 'bias_hh'].map(
    (name) => weightOf(task.weights, `${name}_l0`).data,
  );
  const { pick, expected, size } = await makeReference(task, {});
  // Each number of an answer is its place, so that what is compared can be found.
  const places = pick(Float32Array.from({ length: size }, (_, i) => i));
  const last = (task.batch - 1) * task.hiddenSize;
  const x = task.input.subarray((task.batch - 1) * task.inputSize, task.batch * task.inputSize);
  for (let u = 0; u < task.hiddenSize; u++) {
    const sum = x.reduce((total, value, k) => total + value * wi![u * x.length + k]!, bi![u]! + bh![u]!);
    expect(expected[0]![Array.from(places).indexOf(last + u)]).toBeCloseTo(Math.tanh(sum), 6);
  }
});

test.each([
  [taskOf('stream', 'trial-stream-gru'), { resetBefore: true }],
  [taskOf('training', 'trial-training'), { oneBias: true }],
] as const)('variants of peers have answers of their own: %#', async (task, variant) => {
  const [torch, peer] = [await makeReference(task, {}), await makeReference(task, variant)];
  const answers = peer.expected.map((values) => Float32Array.from(values));
  expect(errorOf(answers, peer)).toBeLessThan(TOLERANCE);
  expect(errorOf(answers, torch)).toBeGreaterThan(2 * TOLERANCE);
});

test('a product of float16 operands is wrong', async () => {
  const task = taskOf('matmul', 'trial-matmul');
  const half = (values: Float32Array): Float32Array => values.map((x) => Math.round(x * 2048) / 2048);
  using runtime = await gatewise.createRuntime({ backend: 'cpu' });
  const job = await gatewiseJob(gatewise, runtime, { ...task, a: half(task.a), b: half(task.b) });
  const { answers } = await answersOf(job, 1);
  expect(errorOf(answers, await makeReference(task, {}))).toBeGreaterThan(2 * TOLERANCE);
});

test('a seed gives the same numbers, another one others; labels are the characters that follow', () => {
  for (const workload of workloadsOf('trial')) {
    expect(makeTask(workload, 1)).toEqual(makeTask(workload, 1));
    expect(makeTask(workload, 1)).not.toEqual(makeTask(workload, 2));
  }
  const { steps, batch, classes, input, labels } = taskOf('training', 'trial-training');
  for (let i = 0; i < (steps - 1) * batch; i++)
    expect(input.subarray((i + batch) * classes, (i + batch + 1) * classes).indexOf(1)).toBe(labels[i]);
  expect(new Set(workloads.map(({ name }) => name)).size).toBe(workloads.length);
});
