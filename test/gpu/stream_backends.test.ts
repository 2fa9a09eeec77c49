// A stream that begins on one backend and ends on the other.
import { expect, test } from 'vitest';

import { Random } from '../../src/core/random.ts';
import {
  createRuntime,
  GRU,
  GRUCell,
  Linear,
  LSTM,
  LSTMCell,
  RNNCell,
  Sequential,
  type Layer,
  type Stream,
  type Tensor,
} from '../../src/index.ts';

const BATCH = 3;
const INPUTS = 4;
const HIDDEN = 5;

const MODELS: Record<string, () => Layer> = {
  LSTM: () => new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 2 }),
  'GRU, batchFirst': () => new GRU({ inputSize: INPUTS, hiddenSize: HIDDEN, batchFirst: true }),
  Sequential: () =>
    new Sequential([
      new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN }),
      new GRU({ inputSize: HIDDEN, hiddenSize: 2 }),
      new Linear(2, 3),
    ]),
  LSTMCell: () => new LSTMCell({ inputSize: INPUTS, hiddenSize: HIDDEN }),
  'a Sequential of cells': () =>
    new Sequential([
      new Linear(INPUTS, 3),
      new GRUCell({ inputSize: 3, hiddenSize: HIDDEN }),
      new RNNCell({ inputSize: HIDDEN, hiddenSize: 2 }),
    ]),
};

/** Standard normal steps, (BATCH, INPUTS) each, the same on every call. */
function inputs(seed: number, count: number): number[][][] {
  const random = new Random(seed, 7);
  return Array.from({ length: count }, () =>
    Array.from({ length: BATCH }, () => Array.from({ length: INPUTS }, () => random.normal())),
  );
}

/** The output for the last of some steps, as a list for each row. */
async function pushAll(stream: Stream, steps: readonly number[][][]): Promise<number[][]> {
  const outputs = steps.map((step) => stream.push(step));
  const last = outputs[outputs.length - 1];
  const [data, width] = [Array.from(await last.read()), last.shape[1]];
  return Array.from({ length: last.shape[0] }, (_, row) => data.slice(row * width, (row + 1) * width));
}

test('a stream saved on one backend goes on upon the other', async () => {
  const [gpu, cpu] = [await createRuntime({ backend: 'webgpu' }), await createRuntime({ backend: 'cpu' })];
  const weights = await (await gpu.load(MODELS['LSTM'](), { seed: 6 })).save();
  const [first, second] = await Promise.all(
    [gpu, cpu].map(async (runtime) =>
      (await runtime.load(MODELS['LSTM'](), { weights })).stream({ batch: BATCH }),
    ),
  );
  await pushAll(first, inputs(1, 4));
  second.restore(await first.save());
  const [x] = inputs(2, 1);
  const outputs = await Promise.all([first, second].map(async (stream) => (stream.push(x) as Tensor).read()));
  Array.from(outputs[0]).forEach((value, i) => expect(value).toBeCloseTo(outputs[1][i], 5));
  gpu.dispose();
  cpu.dispose();
});
