// sigmoid, tanh and softplus are finite and right for every finite float32, alone and inside a cell, on both backends.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { valueAndGrad } from '../../src/train/index.ts';
import {
  add,
  createRuntime,
  exp,
  log,
  logsigmoid,
  lstm,
  max,
  maximum,
  minimum,
  recurrent,
  relu,
  sigmoid,
  softplus,
  sum,
  tanh,
  type Runtime,
  type Value,
} from '../../src/index.ts';
import { backend, on } from '../setup/backend.ts';

const dense = Array.from({ length: 20001 }, (_, i) => (i - 10000) / 100);
const magnitudes = [
  ...Array.from({ length: 29 }, (_, i) => 10 ** (-8 + i / 4)),
  // Where the branches of the functions meet: series, exponential and saturation.
  0.25,
  0.4999999,
  0.5,
  0.5000001,
  0.625,
  0.75,
  1,
  7.9,
  8,
  8.7,
  9,
  9.02,
  10,
  14.9999,
  15,
  15.0001,
  20,
  79.9999,
  80,
  80.0001,
  87.33,
  88,
  88.02,
  88.7228,
  88.73,
  89,
  103,
  104,
  127,
  128,
  709,
  710,
  1e4,
  1e10,
  1e19,
  1.9e19,
  1e30,
  1e38,
  3.4e38,
  3.4028234663852886e38,
  // The smallest numbers, the last few of them subnormal.
  1e-12,
  1e-20,
  1e-37,
  1.1754943508222875e-38,
  1e-39,
  1e-42,
  1.401298464324817e-45,
];
const inputs = Float32Array.from([...dense, ...magnitudes, ...magnitudes.map((x) => -x), 0, -0]);

const exactSoftplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const exactSigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The inputs at which `got` is not finite, or further from `exact` than `limit` allows. */
function wrong(
  inputs: Float32Array,
  got: ArrayLike<number>,
  exact: (x: number) => number,
  limit: (expected: number) => number,
): string[] {
  const problems: string[] = [];
  inputs.forEach((x, i) => {
    const expected = exact(x);
    if (!(Math.abs(got[i] - expected) <= limit(expected)) || !Number.isFinite(got[i]))
      problems.push(`${x}: ${got[i]}, expected ${expected}`);
  });
  return problems.slice(0, 10);
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test('sigmoid', async () => {
    const got = await runtime
      .compile((x: Value) => sigmoid(x))(inputs)
      .read();
    // Relative to the value; a device may take subnormal numbers for 0.
    expect(wrong(inputs, got, exactSigmoid, (y) => Math.max(2e-5 * y, 1.2e-38))).toEqual([]);
  });

  test('exp and log', async () => {
    const [power, logarithm] = runtime.compile((x: Value) => [exp(x), log(x)])(inputs);
    const isNormal = (x: number): boolean => x === 0 || Math.abs(x) >= 1.2e-38;
    const powers = inputs.filter((x) => x < 88.72);
    const exps = (await power.read()).filter((_, i) => inputs[i] < 88.72);
    expect(wrong(powers, exps, Math.exp, (y) => Math.max(2e-5 * y, 1.2e-38))).toEqual([]);
    const isPositive = (x: number): boolean => x > 0 && isNormal(x);
    const logs = (await logarithm.read()).filter((_, i) => isPositive(inputs[i]));
    const limit = (y: number): number => Math.max(1e-6, 1e-6 * Math.abs(y));
    expect(wrong(inputs.filter(isPositive), logs, Math.log, limit)).toEqual([]);
  });

  test('tanh', async () => {
    const got = await runtime
      .compile((x: Value) => tanh(x))(inputs)
      .read();
    // Near 0 relative to the value; a device may take subnormal numbers for 0.
    expect(
      wrong(inputs, got, Math.tanh, (y) => Math.min(1e-6, Math.max(1e-5 * Math.abs(y), 1.2e-38))),
    ).toEqual([]);
  });

  test('softplus and logsigmoid', async () => {
    const [plus, log] = runtime.compile((x: Value) => [softplus(x), logsigmoid(x)])(inputs);
    // Relative to the value; a device may flush subnormal numbers to 0.
    const limit = (y: number): number => Math.max(1e-6 * Math.abs(y), 1.2e-38);
    expect(wrong(inputs, await plus.read(), exactSoftplus, limit)).toEqual([]);
    expect(wrong(inputs, await log.read(), (x) => -exactSoftplus(-x), limit)).toEqual([]);
  });

  test('tanh has the sign of its input and stays within [-1, 1]', async () => {
    const got = await runtime
      .compile((x: Value) => tanh(x))(inputs)
      .read();
    expect(got.findIndex((y, i) => Math.abs(y) > 1 || y * inputs[i] < 0)).toBe(-1);
  });

  test('NaN stays NaN', async () => {
    const nonlinear = runtime.compile((x: Value, y: Value) => [
      sigmoid(x),
      tanh(x),
      relu(x),
      softplus(x),
      logsigmoid(x),
      maximum(x, y),
      maximum(y, x),
      minimum(x, y),
      minimum(y, x),
    ]);
    const results = await Promise.all(nonlinear([NaN, 1], [2, 2]).map((result) => result.read()));
    expect(results.map(([broken]) => broken)).toEqual(results.map(() => NaN));
    expect(results.filter((_, i) => ![0, 1, 3, 4].includes(i)).map(([, sound]) => sound)).toEqual([
      1, 2, 2, 1, 1,
    ]);
    const largest = runtime.compile((x: Value) => max(x, 1));
    const rows = [0, 1, 2].map((at) => [3, 1, 2].map((x, i) => (i === at ? NaN : x)));
    expect([...(await largest([...rows, [3, 1, 2]]).read())]).toEqual([NaN, NaN, NaN, 3]);
    // A reduction of two stages.
    const long = Float32Array.from({ length: 300 }, (_, i) => (i === 123 ? NaN : i));
    const whole = runtime.compile((x: Value) => max(x));
    expect(await whole(long).item()).toBeNaN();
  });

  test('their derivatives', async () => {
    const gradients = runtime.compile(
      valueAndGrad(([a, b, c]: Value[]) => add(add(sum(sigmoid(a)), sum(tanh(b))), sum(softplus(c)))),
    );
    const [, [dSigmoid, dTanh, dSoftplus]] = gradients([inputs, inputs, inputs]);
    const slope = (x: number): number => exactSigmoid(x) * exactSigmoid(-x);
    expect(wrong(inputs, await dSigmoid.read(), slope, () => 1e-6)).toEqual([]);
    expect(wrong(inputs, await dSoftplus.read(), exactSigmoid, () => 1e-6)).toEqual([]);
    expect(
      wrong(
        inputs,
        await dTanh.read(),
        (x) => 1 - Math.tanh(x) ** 2,
        () => 2e-6,
      ),
    ).toEqual([]);
  });

  test('they are right inside an LSTM cell, forward and backward', async () => {
    const [batch, hidden] = [2, 64];
    const cell = runtime.compile((x: Value, start: Value, w: Value) => {
      const [, dx] = valueAndGrad((x: Value) => sum(recurrent(lstm, x, w, start).output))(x);
      return { final: recurrent(lstm, x, w, start).final, dx };
    });
    const start = runtime.tensor(new Float32Array(2 * batch * hidden).fill(0.5), {
      shape: [2, batch, hidden],
    });
    const weight = runtime.tensor(new Float32Array(4 * hidden * hidden), { shape: [4 * hidden, hidden] });
    const c = (x: number): number => 0.5 * exactSigmoid(-x) + exactSigmoid(x) * Math.tanh(x);
    const h = (x: number): number => exactSigmoid(x) * Math.tanh(c(x));
    const dInput = (x: number): number =>
      exactSigmoid(x) * (1 - Math.tanh(c(x)) ** 2) * Math.tanh(x) * exactSigmoid(x) * exactSigmoid(-x);
    // A few points of the dense grid, all others.
    const some = inputs.filter((_, i) => i % 4 === 0 || i >= dense.length);
    for (let from = 0; from < some.length; from += batch * hidden) {
      const x = new Float32Array(batch * hidden);
      x.set(some.subarray(from, from + batch * hidden));
      // The pre-activations of i, f, g and o are the inputs, one of them negated.
      const at = (i: number, gate: number): number =>
        (Math.floor(i / hidden) * 4 + gate) * hidden + (i % hidden);
      const products = new Float32Array(4 * batch * hidden);
      x.forEach((value, i) => [1, -1, 1, 1].forEach((sign, gate) => (products[at(i, gate)] = sign * value)));
      const { final, dx } = cell(runtime.tensor(products, { shape: [1, batch, 4 * hidden] }), start, weight);
      const states = await final.read();
      expect(wrong(x, states.subarray(0, batch * hidden), h, () => 2e-6)).toEqual([]);
      expect(wrong(x, states.subarray(batch * hidden), c, () => 2e-6)).toEqual([]);
      const gradient = await dx.read();
      expect(gradient.findIndex((d) => !Number.isFinite(d))).toBe(-1);
      const ofInput = x.map((_, i) => gradient[at(i, 0)]);
      expect(wrong(x, ofInput, dInput, () => 2e-6)).toEqual([]);
    }
  });

  test('they are finite inside an LSTM cell with a huge recurrent product', async () => {
    const signs = [1, -1].flatMap((a) => [1, -1].map((b) => [a, b]));
    for (const [a, b] of signs) {
      const run = runtime.compile((x: Value, w: Value, start: Value) => recurrent(lstm, x, w, start).final);
      const final = await run(
        [[[a * 1e30, b * 1e30, a * 3e38, b * 1e4]], [[a * 1e30, 0, 0, 88.5]]],
        [[1e30], [-1e30], [1e30], [1e30]],
        [[[1]], [[0.25]]],
      ).read();
      expect([...final].every((x) => Number.isFinite(x) && Math.abs(x) <= 2)).toBe(true);
    }
  });
});

test.each(on('cpu'))('the grid finds the fault of the naive tanh', () => {
  const naive = (x: number): number => {
    const e = Math.fround(Math.exp(2 * x));
    return Math.fround((e - 1) / (e + 1));
  };
  const problems = wrong(inputs, Float32Array.from(inputs, naive), Math.tanh, () => 1e-6);
  expect(problems[0]).toMatch(/NaN/);
  expect(
    wrong(inputs, Float32Array.from(inputs, Math.tanh), Math.tanh, (y) => 1e-7 + 1e-7 * Math.abs(y)),
  ).toEqual([]);
});
