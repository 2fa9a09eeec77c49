// Launches of a push through stacks whose cells take more than one product and one update per step.
import { expect, test } from 'vitest';

import { createRuntime, Recurrent, slstm, type Layer } from '../../src/index.ts';
import * as tools from '../../src/tools/index.ts';
import { countDispatches } from '../../src/backend/webgpu/launches.ts';
import { INPUTS, streamStacks } from '../stream_stacks.ts';

test.each<[string, Layer, launches: number]>([
  // Each layer takes a product and a launch per phase. A copy moves up to four new states of one width into the states' tensor.
  ['LSTM with a projection', streamStacks['LSTM with a projection'](128), 2 * 3 + 2],
  ['layer-normalised LSTM', streamStacks['layer-normalised LSTM'](128), 2 * 3 + 1],
  [
    'sLSTM, of four states',
    new Recurrent('sLSTM', slstm, { inputSize: INPUTS, hiddenSize: 128, numLayers: 2 }),
    2 * 2 + 2,
  ],
])('%s: a layer reads its states in place', async (_, model, launches) => {
  using runtime = await createRuntime({ backend: 'webgpu' });
  const { steps, arguments: args } = tools.plan((await runtime.load(model)).stream(), [1, 2, 3, 4]);
  const each = steps.filter(({ memoised }) => !memoised);
  // Nothing of a push is prefetched.
  expect(args.map(({ name }) => name)).toEqual(['weights', 'states', 'input']);
  expect(each.reduce((sum, step) => sum + countDispatches(step), 0)).toBe(launches);
});
