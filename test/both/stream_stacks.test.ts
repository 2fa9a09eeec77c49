// Streams of stacks whose cells want more of a step than a product and an update: what run gives, in few launches.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Random } from '../../src/core/random.ts';
import {
  createRuntime,
  gruLayerNorm,
  LSTM,
  lstmLayerNorm,
  Recurrent,
  Sequential,
  type Layer,
  type Runtime,
} from '../../src/index.ts';
import { backend } from '../setup/backend.ts';

const [BATCH, INPUTS, STEPS] = [3, 4, 6];

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

/** (STEPS, BATCH, INPUTS), standard normal. */
function sequence(): number[][][] {
  const random = new Random(4, 7);
  const list = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);
  return list(STEPS, () => list(BATCH, () => list(INPUTS, () => random.normal())));
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test.each(Object.entries(models))('%s: outputs and states are those of run', async (_, make) => {
    using net = await runtime.load(make(6), { seed: 3 });
    const x = sequence();
    const close = (numbers: Iterable<number>): unknown[] => Array.from(numbers, (n) => expect.closeTo(n, 5));
    const { output, states } = net.runWithStates(x);
    const expected = close(await output.read());
    let stream = net.stream({ batch: BATCH });
    const got: number[] = [];
    for (const [t, step] of x.entries()) {
      got.push(...(await stream.push(step).read()));
      if (t !== 2) continue;
      // The rest of them goes on from a file.
      const file = await stream.save();
      stream = net.stream({ batch: BATCH });
      stream.restore(file);
    }
    expect(got).toEqual(expected);
    const after = stream.states();
    for (const [name, state] of Object.entries(states))
      expect(Array.from(await after[name].read())).toEqual(close(await state.read()));
  });
});
