// Cases that random tests do not reach: a draw that several phases of a step read, and mistakes that are refused at once.
import { describe, expect, test } from 'vitest';

import { valueAndGrad } from '../../src/train/index.ts';
import {
  createRuntime,
  defineCell,
  GatewiseError,
  less,
  MinGRU,
  Noise,
  Recurrent,
  sub,
  sum,
  where,
  mul,
  type Value,
  type Values,
} from '../../src/index.ts';

test('all phases of a step read the same number from one draw', async () => {
  const cell = defineCell({
    name: 'drawn',
    gates: ['a'],
    states: ['h'],
    projects: true,
    update: ({ a }, { h }, { random, mean, project }) => ({
      h: sub(where(less(random(), 0.5), sub(h, mean(h)), h), project(a)),
    }),
  });
  const runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
  const layer = new Recurrent('Drawn', cell, { inputSize: 2, hiddenSize: 5, projSize: 3 });
  const loss = (h: Value, x: Value, parameters: Values, seed: Value): Value => {
    const { output } = layer.forward(x, parameters, { h }, { noise: new Noise(seed) });
    return sum(mul(output, output));
  };
  const parameters = Object.fromEntries(
    layer.parameters.map(({ name, shape }, p) => [
      name,
      runtime.tensor(
        Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(7 * p + i)),
        { shape },
      ),
    ]),
  );
  const x = [
    [
      [0.3, -0.2],
      [0.1, 0.9],
    ],
    [
      [0.5, 0.4],
      [-0.7, 0.2],
    ],
  ];
  const h = [0.1, -0.4, 0.7, 0.3, 0.2, -0.9];
  const seed = runtime.tensor(Int32Array.of(5, 3));
  const at = async (values: readonly number[]): Promise<number> =>
    runtime
      .compile(loss)(runtime.tensor(Float64Array.from(values), { shape: [1, 2, 3] }), x, parameters, seed)
      .item();
  const [, gradient] = runtime.compile(valueAndGrad(loss))(
    runtime.tensor(Float64Array.from(h), { shape: [1, 2, 3] }),
    x,
    parameters,
    seed,
  );
  const found = await gradient.read();
  for (let i = 0; i < h.length; i++) {
    const moved = (by: number): number[] => h.map((value, n) => (n === i ? value + by : value));
    const numeric = ((await at(moved(1e-6))) - (await at(moved(-1e-6)))) / 2e-6;
    expect(found[i]).toBeCloseTo(numeric, 6);
  }
  runtime.dispose();
});

describe('refused before anything runs', () => {
  const update = ({ a }: { a: Value }): { h: Value } => ({ h: a });
  const declare = defineCell as unknown as (declaration: object) => unknown;
  test.each([
    [
      'a name with a line break',
      { name: 'x\ny', gates: ['a'], states: ['h'], update },
      /name must be text on one line/,
    ],
    [
      'NaN in an update',
      { name: 'x', gates: ['a'], states: ['h'], update: ({ a }: { a: Value }) => ({ h: mul(a, NaN) }) },
      /update computes with NaN; expected numbers that are finite/,
    ],
    [
      'a number too large for float32',
      { name: 'x', gates: ['a'], states: ['h'], update: ({ a }: { a: Value }) => ({ h: mul(a, 1e39) }) },
      /update computes with 1e\+39/,
    ],
  ])('%s', (_, declaration, message) => {
    expect(() => declare(declaration)).toThrow(message);
  });

  test('lengths together with a mask, in a layer that runs as a scan', async () => {
    const runtime = await createRuntime({ backend: 'cpu' });
    const layer = new MinGRU({ inputSize: 1, hiddenSize: 1 });
    const run = runtime.compile(
      (x: Value, parameters: Values, lengths: Value, mask: Value) =>
        layer.forward(x, parameters, {}, { lengths, mask }).output,
    );
    const parameters = Object.fromEntries(
      layer.parameters.map(({ name, shape }) => [
        name,
        runtime.tensor(new Float32Array(shape[0]), { shape }),
      ]),
    );
    expect(() => run([[[1]]], parameters, Int32Array.of(1) as never, [[1]])).toThrow(GatewiseError);
    expect(() => run([[[1]]], parameters, Int32Array.of(1) as never, [[1]])).toThrow(
      /MinGRU: lengths and mask/,
    );
    runtime.dispose();
  });
});
