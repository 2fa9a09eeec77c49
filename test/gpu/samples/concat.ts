import { exp, mul, tanh } from '../../../src/expr/arith.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { concat, constant, reshape, slice, sum, transpose, zeros } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  ...[0, 1, 2, -1].map((axis) =>
    sample(`along axis ${axis}`, [f32([3, 5, 7]), f32([3, 5, 7])], (a, b) => concat([a, tanh(b), a], axis)),
  ),
  sample('of unequal pieces', [f32([3, 1]), f32([3, 5]), f32([3, 2])], (...x) => concat(x, 1)),
  sample('of constants', [f32([3, 2])], (x) => concat([zeros([3, 1]), x, constant(2, [3, 3])], 1)),
  sample('of one value twice', [f32([3, 5])], (x) => {
    const y = exp(x);
    return concat([y, y], 0);
  }),
  sample('of concats', [f32([3, 2]), f32([3, 5])], (a, b) => concat([concat([tanh(a), b], 1), exp(a)], 1)),
  sample('of a concat the other way', [f32([3, 2]), f32([2, 7])], (a, b) =>
    concat(
      [concat([tanh(a), exp(mul(a, 2)), slice(a, 1, 0, 1), slice(a, 1, 1), slice(a, 1, 0, 1)], 1), b],
      0,
    ),
  ),
  sample('of views', [f32([5, 7])], (x) =>
    concat([transpose(x), reshape(x, [7, 5]), slice(transpose(x), 0, 1, 3)], 0),
  ),
  sample('of products', [f32([5, 7]), f32([7, 3]), f32([7, 4])], (a, b, c) =>
    concat([matmul(a, b), matmul(a, c)], 1),
  ),
  sample('of a product and what reads it', [f32([5, 7]), f32([7, 7])], (a, b) => {
    const product = matmul(a, b);
    return concat([product, matmul(product, b)], 0);
  }),
  sample('whose maker is read again', [f32([5, 7])], (x) => {
    const y = tanh(x);
    return [concat([y, x], 0), mul(y, sum(y))];
  }),
  sample('cut again', [f32([5, 7]), f32([5, 2])], (a, b) => {
    const whole = concat([exp(a), b], 1);
    return [slice(whole, 1, 6, 9), sum(whole, 0)];
  }),
];
