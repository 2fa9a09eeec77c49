// Launches of a push through stacks whose cells want more of a step than a product and an update.
import { expect, test } from 'vitest';

import {
  createRuntime,
  gruLayerNorm,
  LSTM,
  lstmLayerNorm,
  Recurrent,
  Sequential,
  slstm,
  type Layer,
} from '../../src/index.ts';
import { countDispatches } from '../../src/backend/webgpu/launches.ts';

const INPUTS = 4;

const models: Record<string, (hiddenSize: number) => Layer> = {
  'LSTM with a projection': (hiddenSize) =>
    new LSTM({ inputSize: INPUTS, hiddenSize, projSize: hiddenSize / 2, numLayers: 2 }),
  'layer-normalised LSTM': (hiddenSize) =>
    new Recurrent('LSTM', lstmLayerNorm, { inputSize: INPUTS, hiddenSize, numLayers: 2 }),
  'layer-normalised GRU, then a projected LSTM': (hiddenSize) =>
    new Sequential([
      new Recurrent('GRU', gruLayerNorm, { inputSize: INPUTS, hiddenSize, numLayers: 2 }),
      new LSTM({ inputSize: hiddenSize, hiddenSize, projSize: hiddenSize / 2, numLayers: 2 }),
    ]),
};

test.each<[string, Layer, launches: number]>([
  // Each layer is a product and a launch for each phase; what they leave goes into one tensor, four states to a launch and
  // those of one width.
  ['LSTM with a projection', models['LSTM with a projection'](128), 2 * 3 + 2],
  ['layer-normalised LSTM', models['layer-normalised LSTM'](128), 2 * 3 + 1],
  [
    'sLSTM, of four states',
    new Recurrent('sLSTM', slstm, { inputSize: INPUTS, hiddenSize: 128, numLayers: 2 }),
    2 * 2 + 2,
  ],
])('%s: a layer reads all its states where they are', async (_, model, launches) => {
  using runtime = await createRuntime({ backend: 'webgpu' });
  const { steps } = (await runtime.load(model)).stream().plan([1, 2, 3, 4]);
  const each = steps.filter(({ memoised }) => !memoised);
  expect(each.filter(({ prefetchable }) => prefetchable)).toEqual([]);
  expect(each.reduce((sum, step) => sum + countDispatches(step), 0)).toBe(launches);
});
