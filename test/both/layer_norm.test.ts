// Layer normalization on both backends against PyTorch's values and gradients, and what it costs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { valueAndGrad } from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import type { Value } from '../../src/index.ts';
import {
  createRuntime,
  LayerNorm,
  mul,
  sum,
  type Runtime,
  type Shape,
  type Values,
} from '../../src/index.ts';
import cases from '../fixtures/layer_norm.json' with { type: 'json' };
import { backend } from '../setup/backend.ts';

interface Case {
  readonly name: string;
  readonly shape: Shape;
  readonly normalizedShape: Shape;
  readonly eps: number;
  readonly x: readonly number[];
  readonly weight?: readonly number[];
  readonly bias?: readonly number[];
  readonly y: readonly number[];
  readonly cotangent: readonly number[];
  readonly grad: Readonly<Record<string, readonly number[]>>;
}

const layerOf = ({ normalizedShape, eps, weight, bias }: Case): LayerNorm =>
  new LayerNorm({ normalizedShape, eps, elementwiseAffine: weight !== undefined, bias: bias !== undefined });

/** The elements whose error exceeds the sum of a part of the largest element and a part of the element itself. */
function wrong(
  got: ArrayLike<number>,
  expected: readonly number[],
  [absolute, relative]: readonly [number, number],
): string[] {
  expect(got.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return expected.flatMap((value, i) =>
    Math.abs(got[i] - value) <= absolute * largest + relative * Math.abs(value)
      ? []
      : [`${i}: ${got[i]}, expected ${value}`],
  );
}

/** The output and the gradients by name, under a cotangent. */
const differentiate = (layer: LayerNorm) => (inputs: Values, cotangent: Value) => {
  const outputOf = ({ x, ...parameters }: Values): Value => layer.forward(x, parameters).output;
  const [, gradients] = valueAndGrad((inputs: Values) => sum(mul(outputOf(inputs), cotangent)))(inputs);
  return { y: outputOf(inputs), gradients };
};

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test.each((cases as readonly Case[]).map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const tensor = (data: readonly number[], shape: Shape) =>
      runtime.tensor(Float32Array.from(data), { shape });
    const layer = layerOf(one);
    const parameters = layer.parameters.map(({ name, shape }) => {
      return [name, tensor(one[name as 'weight' | 'bias'] ?? [], shape)] as const;
    });
    const inputs = { x: tensor(one.x, one.shape), ...Object.fromEntries(parameters) };
    const { y, gradients } = runtime.compile(differentiate(layer))(inputs, tensor(one.cotangent, one.shape));
    expect(wrong(await y.read(), one.y, [1e-5, 1e-4])).toEqual([]);
    expect(Object.keys(gradients).toSorted()).toEqual(Object.keys(one.grad).toSorted());
    for (const [name, expected] of Object.entries(one.grad))
      expect(wrong(await gradients[name].read(), expected, [1e-4, 1e-3])).toEqual([]);
  });

  test('a row of equal numbers gives the bias', async () => {
    const layer = new LayerNorm({ normalizedShape: 4 });
    const run = runtime.compile((x: Value, bias: Value, weight: Value) => {
      return layer.forward(x, { bias, weight }).output;
    });
    expect([...(await run([[7, 7, 7, 7]], [1, 2, 3, 4], [5, 6, 7, 8]).read())]).toEqual([1, 2, 3, 4]);
  });

  test('initial weights are 1 and biases 0', async () => {
    const net = await runtime.load(new LayerNorm({ normalizedShape: [2, 2], eps: 0 }), { seed: 1 });
    // The input has mean 0 and variance 1.
    expect([
      ...(await net
        .run([
          [
            [1, -1],
            [-1, 1],
          ],
        ])
        .read()),
    ]).toEqual([1, -1, -1, 1]);
    net.dispose();
  });

  test('takes two sums and one elementwise step, and its gradients five steps more', () => {
    const layer = new LayerNorm({ normalizedShape: 6 });
    const x = runtime.tensor(new Float32Array(60), { shape: [2, 5, 6] });
    const [weight, bias] = [runtime.tensor(new Float32Array(6)), runtime.tensor(new Float32Array(6))];
    const forward = runtime.compile((x: Value, weight: Value, bias: Value) => {
      return layer.forward(x, { weight, bias }).output;
    });
    expect(tools.plan(forward, x, weight, bias).steps.map(({ op }) => op.name)).toEqual([
      'reduce',
      'reduce',
      'elementwise',
    ]);
    // The forward steps, the cotangent, which a product needs as a tensor, and the five.
    const { steps } = tools.plan(runtime.compile(differentiate(layer)), { x, weight, bias }, x);
    expect(steps.map(({ label }) => label)).toHaveLength(9);
  });
});
