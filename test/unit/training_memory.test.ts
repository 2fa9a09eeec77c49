// The memory that a recurrent layer saves for its backward pass, in bytes per step, row and unit.
import { expect, test } from 'vitest';

import { mse, sgd, Trainer } from '../../src/train/index.ts';
import { type Plan } from '../../src/tools/index.ts';
import * as tools from '../../src/tools/index.ts';
import { createRuntime, GRU, LSTM, RNN, type Layer } from '../../src/index.ts';

const [STEPS, BATCH, HIDDEN] = [64, 2, 64];

/** Bytes of temporaries that the forward loop writes and the backward loop reads. */
function savedBytes({ steps, buffers }: Plan): number {
  const forward = steps.findIndex(({ op }) => op.name === 'recurrent');
  const backward = steps.findIndex(({ op }) => op.name === 'recurrent_backward');
  const written = new Set(steps[forward].outputs.map(({ buffer }) => buffer));
  const read = new Set(steps.slice(backward).flatMap(({ inputs }) => inputs.map(({ buffer }) => buffer)));
  // A buffer that another step writes in between is not saved.
  const taken = new Set(
    steps.slice(forward + 1, backward).flatMap(({ outputs }) => outputs.map(({ buffer }) => buffer)),
  );
  return [...written]
    .filter((buffer) => read.has(buffer) && !taken.has(buffer))
    .reduce((sum, buffer) => sum + 4 * buffers[buffer].size, 0);
}

const sizes = { inputSize: 4, hiddenSize: HIDDEN };
test.each<[string, Layer, number]>([
  ['LSTM', new LSTM(sizes), 24],
  ['GRU', new GRU(sizes), 20],
  ['RNN of tanh', new RNN(sizes), 4],
  ['RNN of relu', new RNN({ ...sizes, nonlinearity: 'relu' }), 4],
])('%s', async (_, layer, most) => {
  using runtime = await createRuntime({ backend: 'cpu' });
  const net = await runtime.load(layer);
  const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 0.1 }) });
  const tensor = (size: number) =>
    runtime.tensor(new Float32Array(STEPS * BATCH * size), { shape: [STEPS, BATCH, size] });
  const perElement = savedBytes(tools.plan(trainer, tensor(4), tensor(HIDDEN))) / (STEPS * BATCH * HIDDEN);
  // There is one state more than steps.
  expect(perElement).toBeLessThanOrEqual(most * (1 + 1 / STEPS));
  expect(perElement).toBeGreaterThanOrEqual(most);
});

test.each<[string, Layer]>([
  ['LSTM', new LSTM(sizes)],
  ['GRU', new GRU(sizes)],
])('%s: without a gradient the loop has the states of two times only', async (_, layer) => {
  using runtime = await createRuntime({ backend: 'cpu' });
  const net = await runtime.load(layer);
  const x = runtime.tensor(new Float32Array(STEPS * BATCH * 4), { shape: [STEPS, BATCH, 4] });
  const step = tools.plan(net, x).steps.find(({ op }) => op.name === 'recurrent');
  expect(step?.outputs[1].view.shape).toEqual([2 * BATCH * HIDDEN * layer.states.length]);
});
