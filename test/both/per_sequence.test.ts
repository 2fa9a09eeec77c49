// Layers of one's own with one output for each sequence: lengths reach the layer, and the loss counts every element of the target.
import { afterAll, beforeAll, expect, test } from 'vitest';

import { mse, sgd, Trainer } from '../../src/train/index.ts';
import {
  createRuntime,
  LSTM,
  Linear,
  Random,
  reshape,
  Sequential,
  slice,
  type Context,
  type Layer,
  type Runtime,
  type Values,
  type Value,
} from '../../src/index.ts';
import { failure } from '../failure.ts';
import { backend } from '../setup/backend.ts';

const [STEPS, BATCH, WIDTH] = [4, 4, 4];

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ backend });
});
afterAll(() => runtime.dispose());

/** The final h of an LSTM: (T, B, I) to (B, H). */
function lastState(perStep?: boolean): Layer {
  const lstm = new LSTM({ inputSize: WIDTH, hiddenSize: WIDTH });
  const { parameters, states, inputDType, timeAxis } = lstm;
  return {
    name: 'LastState',
    parameters,
    states,
    inputDType,
    timeAxis,
    ...(perStep !== undefined && { perStep }),
    forward: (x: Value, values: Values, before?: Values, context?: Context) => {
      const after = lstm.forward(x, values, before, context).states;
      return { output: reshape(slice(after['h'], 0, 0, 1), [x.shape[1], WIDTH]), states: after };
    },
  };
}

function numbers(seed: number, size: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: size }, () => random.normal());
}

const lengths = [4, 1, 3, 2];

async function lossOf(model: Layer, steps = STEPS): Promise<number> {
  const trainer = new Trainer(await runtime.load(model, { seed: 5 }), {
    loss: mse,
    optimizer: sgd({ lr: 0 }),
  });
  const x = runtime.tensor(numbers(1, steps * BATCH * WIDTH), { shape: [steps, BATCH, WIDTH] });
  const y = runtime.tensor(numbers(2, BATCH * WIDTH), { shape: [BATCH, WIDTH] });
  return trainer.step(x, y, { lengths });
}

test('the loss is the mean over all sequences', async () => {
  const net = await runtime.load(lastState(false), { seed: 5 });
  const x = runtime.tensor(numbers(1, STEPS * BATCH * WIDTH), { shape: [STEPS, BATCH, WIDTH] });
  const output = await net.run(x, { lengths }).read();
  const expected =
    numbers(2, BATCH * WIDTH).reduce((sum, y, i) => sum + (output[i] - y) ** 2, 0) / output.length;
  expect(await lossOf(lastState(false))).toBeCloseTo(expected, 5);
});

test('shapes tell where steps and sequences differ in number', async () => {
  expect(await lossOf(lastState(), STEPS + 1)).toBeCloseTo(await lossOf(lastState(false), STEPS + 1), 6);
});

test('a layer that does not say it is asked where shapes do not tell, also in a Sequential', async () => {
  const problem = failure(
    'unsupported',
    /as many steps as sequences \(4\), the output \[4, 4\] .* declare perStep/,
  );
  await expect(lossOf(lastState())).rejects.toThrow(problem);
  await expect(
    lossOf(new Sequential([lastState(), new Linear({ inputSize: WIDTH, outputSize: WIDTH })])),
  ).rejects.toThrow(problem);
  await expect(
    lossOf(new Sequential([lastState(false), new Linear({ inputSize: WIDTH, outputSize: WIDTH })])),
  ).resolves.toBeTypeOf('number');
});
