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
  type RecurrentCell,
  RNNCell,
  slice,
  sum,
  type Layer,
  type Runtime,
  type Values,
} from '../../src/index.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { plan } from '../../src/tools/index.ts';
import { backend } from '../setup/backend.ts';

const [STEPS, BATCH, INPUTS, HIDDEN] = [4, 3, 2, 5];
const sizes = { inputSize: INPUTS, hiddenSize: HIDDEN };
const pairs: Record<string, [cell: RecurrentCell, layer: Layer]> = {
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

  test.each(Object.entries(pairs))(
    '%s computes one step of its layer, and scan all of them',
    async (_, [cell, layer]) => {
      expect(layer.parameters.map(({ name }) => name)).toEqual(
        cell.parameters.map(({ name }) => `${name}_l0`),
      );
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
      const scanned = (p: { x: Value; parameters: Values; states: Values }): Value => {
        const { output, states: after } = cell.scan(p.x, p.parameters, p.states);
        expect(output.shape).toEqual([STEPS, BATCH, HIDDEN]);
        const outputs = Array.from({ length: STEPS }, (_step, t) => slice(output, 0, t, t + 1));
        return total([...outputs, ...Object.values(after)]);
      };
      const results = [byHand, whole, scanned].map((run) =>
        runtime.compile(valueAndGrad(run))({ x, parameters, states }),
      );
      const [one, ...others] = await Promise.all(
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
        for (const other of others)
          numbers.forEach((number, n) => expect(number / scale).toBeCloseTo(other[i][n] / scale, 5));
      });
    },
  );

  test('a scan has one plan for any length, with lengths as the layer takes them, and refuses single steps', async () => {
    const cell = new GRUCell(sizes);
    const parameters = Object.fromEntries(
      cell.parameters.map(({ name, shape }) => [
        name,
        runtime.tensor(new Float32Array(sizeOf(shape)), { shape }),
      ]),
    );
    const loss = (p: Values, x: Value): Value => sum(cell.scan(x, p).output);
    const step = runtime.compile(valueAndGrad(loss));
    const steps = [10, 800].map((T) => {
      const x = runtime.tensor(new Float32Array(T * BATCH * INPUTS), { shape: [T, BATCH, INPUTS] });
      return plan(step, parameters, x).steps.length;
    });
    expect(steps[0]).toBeLessThan(20);
    expect(steps[1]).toBe(steps[0]);

    const masked = runtime.compile(
      (p: Values, x: Value, lengths: Value) => cell.scan(x, p, {}, { lengths }).output,
    );
    const ones = Object.fromEntries(
      cell.parameters.map(({ name, shape }) => [
        name,
        runtime.tensor(new Float32Array(sizeOf(shape)).fill(0.5), { shape }),
      ]),
    );
    const x = runtime.tensor(new Float32Array(2 * 2 * INPUTS).fill(1), { shape: [2, 2, INPUTS] });
    const output = await masked(ones, x, Int32Array.of(2, 1)).read();
    expect(output.slice(2 * HIDDEN, 3 * HIDDEN).every((h) => h > 0)).toBe(true);
    expect(Array.from(output.slice(3 * HIDDEN))).toEqual(Array.from({ length: HIDDEN }, () => 0));

    const single = runtime.compile((p: Values, row: Value) => cell.scan(row, p).output);
    expect(() => single(parameters, [[1, 2]])).toThrow(
      'GRUCell: scan expected input (T, B, 2), got [1, 2]; a single step is forward()',
    );
  });
});
