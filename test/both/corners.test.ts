// Cases that random sizes and numbers do not reach: gates far below 0, NaN as padding, masks other than 0 and 1,
// and draws that several phases of a step read.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { crossEntropy, mse, valueAndGrad } from '../../src/train/index.ts';
import {
  createRuntime,
  Recurrent,
  slstm,
  sum,
  type Runtime,
  type Value,
  type Values,
} from '../../src/index.ts';
import { backend } from '../setup/backend.ts';

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test.each([-50, -90, -110, -1e4])('an sLSTM is finite with an input gate bias of %d', async (bias) => {
    const layer = new Recurrent('sLSTM', slstm, { inputSize: 1, hiddenSize: 1 });
    const run = runtime.compile(
      valueAndGrad((parameters: Values, x: Value) => sum(layer.forward(x, parameters).output)),
    );
    const ones = Object.fromEntries(
      layer.parameters.map(({ name, shape }) => [
        name,
        runtime.tensor(
          Float32Array.from({ length: shape[0] }, (_, gate) =>
            name === 'bias_ih_l0' ? [bias, 0, 1, 2][gate] : 0,
          ),
          { shape },
        ),
      ]),
    );
    const [value, gradient] = run(ones, [[[0.5]]]);
    // From zero states c / n is the candidate, whatever the input gate.
    expect(await value.item()).toBeCloseTo(Math.tanh(1) / (1 + Math.exp(-2)), 5);
    for (const tensor of Object.values(gradient))
      expect(Array.from(await tensor.read()).every(Number.isFinite)).toBe(true);
  });

  test.each([
    ['crossEntropy', crossEntropy, Int32Array.of(0, 2)],
    [
      'mse',
      mse,
      [
        [0, 2, 3],
        [4, 5, 6],
      ],
    ],
  ] as const)(
    '%s: NaN in what is masked reaches neither the loss nor its gradient',
    async (_, loss, target) => {
      const run = runtime.compile(valueAndGrad((o: Value, t: Value, m: Value) => loss.apply(o, t, m)));
      const [value, gradient] = run(
        [
          [1, 2, 3],
          [NaN, NaN, Infinity],
        ],
        target as never,
        [1, 0],
      );
      expect(await value.item()).toBeGreaterThanOrEqual(0);
      const found = Array.from(await gradient.read());
      expect(found.every(Number.isFinite)).toBe(true);
      expect(found.slice(3)).toEqual([0, 0, 0]);
    },
  );

  test('every mask value other than 0 counts as 1, in the mean too', async () => {
    const value = runtime.compile((o: Value, t: Value, m: Value) => mse.apply(o, t, m));
    const [output, target] = [
      [[1], [5]],
      [[0], [0]],
    ];
    expect(await value(output, target, [0.5, 0]).item()).toBeCloseTo(1, 6);
    expect(await value(output, target, [0.5, 0.5]).item()).toBeCloseTo(13, 6);
  });
});
