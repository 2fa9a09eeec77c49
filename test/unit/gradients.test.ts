// The gradient of every op against central differences in float64, on all its samples, with random cotangents.
import { describe, expect, test } from 'vitest';

import { Random } from '../../src/core/random.ts';
import { add, mul, square } from '../../src/expr/arith.ts';
import { apply, type Op, Value } from '../../src/graph/value.ts';
import { elementwiseOp } from '../../src/ops/elementwise.ts';
import { allOps } from '../../src/ops/index.ts';
import { sum } from '../../src/ops/structure.ts';
import { grad, valueAndGrad } from '../../src/train/index.ts';
import { createRuntime, GatewiseError, type Runtime, type Tensor } from '../../src/index.ts';
import { samples } from '../gpu/samples/index.ts';
import { dataOf, f32, outputsOf, type Sample } from '../gpu/sample.ts';

const runtime: Runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
const LIMIT = 1e-6;
/** Inputs up to this size are perturbed one element at a time; larger ones along a few random directions. */
const ELEMENTS = 12;
const DIRECTIONS = 3;

const normals = (random: Random, size: number): Float64Array =>
  Float64Array.from({ length: size }, () => random.normal());

function directionsFor(random: Random, size: number): Float64Array[] {
  if (size > ELEMENTS) return Array.from({ length: DIRECTIONS }, () => normals(random, size));
  return Array.from({ length: size }, (_, one) =>
    Float64Array.from({ length: size }, (_, i) => Number(i === one)),
  );
}

/** The largest difference between gradient and finite differences over the largest derivative; NaN where one is NaN. */
async function gradientError(sample: Sample): Promise<number> {
  const data = dataOf(sample);
  const differentiable = sample.inputs.flatMap(({ dtype }, i) => (dtype === 'f32' ? [i] : []));
  const loss = (wrt: readonly Value[], values: readonly Value[], cotangents: readonly Value[]): Value => {
    const full = values.map((value, i) => wrt[differentiable.indexOf(i)] ?? value);
    return outputsOf(sample, full)
      .map((output, i) => sum(mul(output, cotangents[i])))
      .reduce((a, b) => add(a, b));
  };
  const shapes = outputsOf(
    sample,
    sample.inputs.map((input) => new Value(input)),
  ).map(({ shape }) => shape);
  const random = new Random(1, 1);
  const tensor = (numbers: Float64Array | Int32Array, shape: readonly number[]): Tensor =>
    runtime.tensor(numbers, { shape });
  const cotangents = shapes.map((shape) =>
    tensor(
      normals(
        random,
        shape.reduce((a, b) => a * b, 1),
      ),
      shape,
    ),
  );
  const values = sample.inputs.map(({ shape }, i) => tensor(data[i], shape));
  const wrt = differentiable.map((i) => values[i]);

  const both = runtime.compile(valueAndGrad(loss));
  const [value, gradients] = both(wrt, values, cotangents);
  const forward = runtime.compile(loss);
  expect(await forward(wrt, values, cotangents).item()).toBeCloseTo(await value.item(), 10);

  let worst = 0;
  for (const [position, input] of differentiable.entries()) {
    const { shape } = sample.inputs[input];
    const gradient = Float64Array.from(await gradients[position].read());
    expect(gradients[position].shape).toEqual(shape);
    let scale = 1e-2;
    for (const g of gradient) scale = Math.max(scale, Math.abs(g));
    for (const direction of directionsFor(random, gradient.length)) {
      const along = gradient.reduce((total, g, i) => total + g * direction[i], 0);
      const at = async (step: number): Promise<number> => {
        const moved = tensor(
          Float64Array.from(data[input], (x, i) => x + step * direction[i]),
          shape,
        );
        const result = forward(
          wrt.map((own, i) => (i === position ? moved : own)),
          values,
          cotangents,
        );
        return result.item();
      };
      const length = Math.max(1, Math.hypot(...direction));
      /** The five-point formula: its error falls with the fourth power of the step. */
      const errorOf = async (step: number): Promise<number> => {
        const difference =
          (8 * ((await at(step)) - (await at(-step))) - ((await at(2 * step)) - (await at(-2 * step)))) /
          (12 * step);
        return Math.abs(difference - along) / (scale * length);
      };
      let error = await errorOf(2e-4 / length);
      // The larger step may reach over a kink, such as relu's. A wrong gradient is wrong for both steps.
      if (!(error < LIMIT)) error = await errorOf(1e-6 / length);
      if (!(error <= worst)) worst = error;
    }
  }
  both.dispose();
  forward.dispose();
  return worst;
}

const differentiableOps = allOps.filter(({ grad: rule }) => rule !== undefined);
const others = allOps.filter(({ grad: rule }) => rule === undefined);

describe.each(differentiableOps.map(({ name }) => name))('%s', (op) => {
  const checkable = samples[op].filter(
    ({ inputs, rounds = false }) => !rounds && inputs.some(({ dtype }) => dtype === 'f32'),
  );
  test.each(checkable.map((sample) => [sample.name, sample] as const))(
    '%s',
    async (_, sample) => {
      expect(await gradientError(sample)).toBeLessThan(LIMIT);
    },
    // The slowest sample takes hundreds of runs, on a busy machine.
    120_000,
  );
});

test('a wrong gradient is found', async () => {
  const wrong: Op = {
    ...(elementwiseOp as Op),
    grad: (node, cotangents) =>
      elementwiseOp.grad?.(node as never, cotangents).map((d) => d && mul(d, 1.00001)) ?? [],
  };
  const { node } = square(new Value({ shape: [5], dtype: 'f32' }));
  const sample: Sample = { name: 'wrong', inputs: [f32([5])], build: (x) => apply(wrong, node?.attrs, [x]) };
  expect(await gradientError(sample)).toBeGreaterThan(LIMIT);
  expect(await gradientError({ ...sample, build: (x) => square(x) })).toBeLessThan(LIMIT);
});

test.each(others.map(({ name }) => [name]))('%s says that it has no gradient', (op) => {
  const [sample] = samples[op];
  const values = sample.inputs.map((input) => new Value(input));
  const second = grad((first: Value, ...rest: Value[]) =>
    sum(square(outputsOf(sample, [first, ...rest])[0])),
  );
  const differentiate = (): unknown => second(values[0], ...values.slice(1));
  expect(differentiate).toThrow(GatewiseError);
  expect(differentiate).toThrow(`${op} has no gradient`);
  expect(differentiate).toThrow(expect.objectContaining({ code: 'unsupported' }) as Error);
});

test('an input that the loss does not depend on has a gradient of zeros', async () => {
  const compiled = runtime.compile(grad(([x, y]: Value[]) => sum(add(square(x), mul(y, 0)))));
  const [dx, dy] = compiled([Float64Array.of(1, 2), Float64Array.of(3, 4)]);
  expect([...(await dx.read())]).toEqual([2, 4]);
  expect([...(await dy.read())]).toEqual([0, 0]);
});
