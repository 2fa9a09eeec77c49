import { add, mul, square, tanh } from '../../../src/expr/arith.ts';
import type { Value } from '../../../src/graph/value.ts';
import { composite } from '../../../src/ops/composite.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { sum } from '../../../src/ops/structure.ts';
import { grad } from '../../../src/train/grad.ts';
import { f32, sample, type Sample } from '../sample.ts';

/** x and tanh(x · w) + x · w. */
const twoOutputs = (x: Value, w: Value): readonly Value[] =>
  composite('two outputs', [x, w], [x, { shape: [x.shape[0], w.shape[1]], dtype: 'f32' }], ([a, b]) => {
    const product = matmul(a, b);
    return [mul(a, 2), add(tanh(product), product)];
  });
const lossOfTwoOutputs = ([x, w]: readonly Value[]): Value => {
  const [first, second] = twoOutputs(x, w);
  return add(sum(square(first)), sum(square(second)));
};

export const samples: readonly Sample[] = [
  sample('two outputs of two inputs', [f32([3, 4]), f32([4, 4])], (x, w) => twoOutputs(x, w)),
  // Both inputs are one tensor, and each has a gradient of its own.
  sample('one tensor twice', [f32([4, 4])], (x) => twoOutputs(x, x)[1]),
  sample('gradients', [f32([3, 4]), f32([4, 4])], (...inputs) => grad(lossOfTwoOutputs)(inputs)),
  sample('gradients of one tensor twice', [f32([4, 4])], (x) =>
    grad((value: Value) => lossOfTwoOutputs([value, value]))(x),
  ),
  sample('gradients of gradients', [f32([3, 4]), f32([4, 4])], (...inputs) =>
    grad((values: Value[]) =>
      grad(lossOfTwoOutputs)(values).reduce((total, d) => add(total, sum(square(d))), sum(values[0])),
    )(inputs),
  ),
];
