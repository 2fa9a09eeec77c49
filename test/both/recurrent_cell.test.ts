// RNNCell, LSTMCell and GRUCell, called step by step, against their layers with the same weights, forward and backward.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { valueAndGrad } from '../../src/train/index.ts';
import type { Value } from '../../src/index.ts';
import {
  add,
  createRuntime,
  GRU,
  GRUCell,
  LSTM,
  LSTMCell,
  mul,
  Random,
  reshape,
  RNN,
  RNNCell,
  slice,
  sum,
  type Layer,
  type Runtime,
  type Values,
} from '../../src/index.ts';
import { backend } from '../setup/backend.ts';

const [STEPS, BATCH, INPUTS, HIDDEN] = [4, 3, 2, 5];
const sizes = { inputSize: INPUTS, hiddenSize: HIDDEN };
const pairs: Record<string, [cell: Layer, layer: Layer]> = {
  'RNNCell tanh': [new RNNCell(sizes), new RNN(sizes)],
  'RNNCell relu': [
    new RNNCell({ ...sizes, nonlinearity: 'relu' }),
    new RNN({ ...sizes, nonlinearity: 'relu' }),
  ],
  LSTMCell: [new LSTMCell(sizes), new LSTM(sizes)],
  'LSTMCell without bias': [new LSTMCell({ ...sizes, bias: false }), new LSTM({ ...sizes, bias: false })],
  GRUCell: [new GRUCell(sizes), new GRU(sizes)],
};

/** A sum of all results, each with another weight. */
const total = (values: readonly Value[]): Value =>
  values.map((value, i) => sum(mul(value, mul(value, 1 + i)))).reduce((a, b) => add(a, b));

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test.each(Object.entries(pairs))('%s computes one step of its layer', async (_, [cell, layer]) => {
    expect(layer.parameters.map(({ name }) => name)).toEqual(cell.parameters.map(({ name }) => `${name}_l0`));
    const random = new Random(5);
    const draw = (shape: readonly number[]) =>
      runtime.tensor(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.uniform(-1, 1)),
        { shape },
      );
    const x = draw([STEPS, BATCH, INPUTS]);
    const parameters = Object.fromEntries(cell.parameters.map(({ name, shape }) => [name, draw(shape)]));
    const states = Object.fromEntries(cell.states.map(({ name, shape }) => [name, draw(shape(BATCH))]));
    const byHand = (p: { x: Value; parameters: Values; states: Values }): Value => {
      let { states: now } = p;
      const outputs: Value[] = [];
      for (let t = 0; t < STEPS; t++) {
        const step = cell.forward(reshape(slice(p.x, 0, t, t + 1), [BATCH, INPUTS]), p.parameters, now);
        outputs.push(step.output);
        now = step.states;
      }
      return total([...outputs, ...Object.values(now)]);
    };
    const whole = (p: { x: Value; parameters: Values; states: Values }): Value => {
      const named = (
        values: Values,
        rename: (name: string) => string,
        change: (value: Value) => Value,
      ): Values =>
        Object.fromEntries(Object.entries(values).map(([name, value]) => [rename(name), change(value)]));
      const result = layer.forward(
        p.x,
        named(
          p.parameters,
          (name) => `${name}_l0`,
          (value) => value,
        ),
        named(
          p.states,
          (name) => name,
          (value) => reshape(value, [1, ...value.shape]),
        ),
      );
      const outputs = Array.from({ length: STEPS }, (_step, t) => slice(result.output, 0, t, t + 1));
      return total([...outputs, ...Object.values(result.states)]);
    };
    const results = [byHand, whole].map((run) =>
      runtime.compile(valueAndGrad(run))({ x, parameters, states }),
    );
    const [one, other] = await Promise.all(
      results.map(([value, gradient]) =>
        Promise.all(
          [value, gradient.x, ...Object.values(gradient.parameters), ...Object.values(gradient.states)].map(
            async (tensor) => Array.from(await tensor.read()),
          ),
        ),
      ),
    );
    expect(one.length).toBe(2 + cell.parameters.length + cell.states.length);
    one.forEach((numbers, i) => {
      const scale = Math.max(1, ...numbers.map(Math.abs));
      numbers.forEach((number, n) => expect(number / scale).toBeCloseTo(other[i][n] / scale, 5));
    });
  });
});
