// The benchmark's right answers, held to gatewise's CPU backend: two computations that share no code.
import { expect, test } from 'vitest';

import { answersOf, CHECKED_RUNS, errorOf } from '../../bench/check.ts';
import { gatewiseJob } from '../../bench/contestants/gatewise.ts';
import { makeTask } from '../../bench/data.ts';
import { makeReference } from '../../bench/reference.ts';
import { trialWorkloads, workloads, type SequenceWorkload } from '../../bench/workloads.ts';
import { createRuntime, gruResetBefore, Recurrent, serializeSafetensors } from '../../src/index.ts';

test.for(trialWorkloads.map((workload) => [workload.name, workload] as const))(
  '%s: the reference and the CPU backend agree',
  async ([, workload]) => {
    const task = makeTask(workload, 3);
    const reference = await makeReference(task, 'reset after');
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
  expect(errorOf([values], await makeReference(task, 'reset before'))).toBeLessThan(2e-6);
  expect(errorOf([values], await makeReference(task, 'reset after'))).toBeGreaterThan(1e-3);
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
