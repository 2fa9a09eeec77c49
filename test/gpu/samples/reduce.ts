import type { Shape } from '../../../src/core/shape.ts';
import * as arith from '../../../src/expr/arith.ts';
import { add, exp, mul, square, sub, tanh } from '../../../src/expr/arith.ts';
import type { Value } from '../../../src/graph/value.ts';
import { LayerNorm } from '../../../src/nn/layer_norm.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import {
  broadcast,
  concat,
  constant,
  max,
  mean,
  reshape,
  slice,
  sum,
  transpose,
} from '../../../src/ops/structure.ts';
import { grad } from '../../../src/train/grad.ts';
import { f32, sample, type Sample } from '../sample.ts';

const reduceShapes: readonly (readonly [shape: Shape, axes: readonly number[]])[] = [
  [[1], [0]],
  [[7], [0]],
  [[1, 1], [1]],
  [[5, 7], [0]],
  [[5, 7], [1]],
  [
    [5, 7],
    [0, 1],
  ],
  [[3, 5, 7], [0]],
  [[3, 5, 7], [1]],
  [[3, 5, 7], [2]],
  [
    [3, 5, 7],
    [0, 2],
  ],
  [
    [3, 5, 7],
    [1, 2],
  ],
  [
    [2, 3, 5, 7],
    [1, 3],
  ],
  // From 64 elements on, in two stages.
  [[64], [0]],
  [[4099], [0]],
  [[65, 3], [0]],
  [[3, 1021], [1]],
  [[1021, 3], [0]],
  [[2, 509, 3], [1]],
  [
    [67, 5, 61],
    [0, 2],
  ],
];

export const samples: readonly Sample[] = [
  ...reduceShapes.flatMap(([shape, axes]) => [
    sample(`sum of ${shape.join('×')} over ${axes}`, [f32(shape)], (x) => sum(x, axes)),
    sample(`maximum of ${shape.join('×')} over ${axes}`, [f32(shape, -5, -1)], (x) => max(x, axes)),
  ]),
  sample('mean', [f32([7, 13])], (x) => mean(x, 0)),
  sample('sum of a product', [f32([7, 91]), f32([7, 91])], (a, b) => sum(mul(a, b), 1)),
  sample('sum of squares', [f32([1021])], (x) => sum(square(x))),
  sample('maximum of an expression', [f32([5, 70]), f32([70])], (a, b) => max(exp(sub(a, b)), 1)),
  sample(
    'sum over seven inputs',
    Array.from({ length: 7 }, () => f32([5, 66])),
    (...x) =>
      sum(
        x.reduce((a, b) => add(mul(a, 0.5), b)),
        0,
      ),
  ),
  sample('of a transposed matrix', [f32([5, 70])], (x) => sum(transpose(x), 0)),
  sample('of a slice', [f32([9, 80])], (x) => sum(slice(slice(x, 0, 2, 7), 1, 3, 75), 1)),
  sample('of a broadcast', [f32([5, 1])], (x) => sum(broadcast(x, [5, 77]), 1)),
  sample('of constants', [], () => sum(constant(0.25, [5, 7]), 1)),
  sample('of an expression of constants', [f32([3])], (x) => add(sum(tanh(constant(0.25, [5, 3])), 0), x)),
  sample('as the gradient of a bias under a mean', [f32([5, 3]), f32([3])], (x, b) =>
    grad((bias: Value) => mean(add(x, bias)))(b),
  ),
  sample('of the transposed product', [f32([5, 7]), f32([7, 6])], (a, b) => sum(transpose(matmul(a, b)), 0)),
  sample(
    'of a product with a row, more groups of axes than the kernel walks',
    [f32([2, 3, 4, 5]), f32([5])],
    (x, b) => sum(mul(x, b), 1),
  ),
  ...[[0], [1, 3], [0, 2, 4], [0, 1, 2, 3, 4]].flatMap((axes) => [
    sample(`of five axes in another order, over ${axes}`, [f32([2, 3, 4, 3, 2])], (x) =>
      max(tanh(transpose(x, [4, 3, 2, 1, 0])), axes),
    ),
    sample(`of five axes, over ${axes}`, [f32([2, 3, 4, 3, 2])], (x) => sum(x, axes)),
    sample(`of constants of five axes, over ${axes}`, [], () => sum(constant(0.25, [2, 3, 4, 3, 2]), axes)),
  ]),
  sample('of six axes with every other factor', [f32([2, 3, 2, 3, 2, 3]), f32([3, 1, 3, 1, 3])], (a, b) =>
    sum(mul(a, b), [1, 3, 5]),
  ),
  sample(
    'of three axes, written into concats',
    [f32([2, 3, 4, 5]), f32([2, 3, 1]), f32([2, 2, 5])],
    (x, b, c) => concat([concat([sum(x, 3), b], 2), c], 1),
  ),
  sample('with a root on top', [f32([5, 66])], (x) => arith.sqrt(add(sum(square(x), 1), 1))),
  sample('as a layer norm', [f32([5, 3, 66]), f32([66]), f32([66])], (x, weight, bias) => {
    return new LayerNorm({ normalizedShape: 66 }).forward(x, { weight, bias }).output;
  }),
  sample('as a layer norm over two axes, without parameters', [f32([2, 3, 4, 5])], (x) => {
    return new LayerNorm({ normalizedShape: [4, 5], elementwiseAffine: false }).forward(x, {}).output;
  }),
  sample('of a reduction', [f32([5, 7, 9])], (x) => max(sum(x, 2), 0)),
  sample('written into a concat', [f32([5, 66]), f32([3])], (a, b) => concat([b, sum(a, 1), b], 0)),
  sample('written into columns', [f32([5, 66]), f32([5, 1])], (a, b) =>
    concat([b, reshape(sum(a, 1), [5, 1])], 1),
  ),
];
