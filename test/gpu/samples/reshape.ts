import { mul, tanh } from '../../../src/expr/arith.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { reshape, slice, transpose } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  sample('as a view', [f32([3, 10])], (x) => reshape(x, [5, 6])),
  sample('with -1', [f32([3, 10])], (x) => mul(reshape(x, [-1, 2]), 2)),
  sample('to a scalar', [f32([1, 1])], (x) => reshape(x, [])),
  sample('of a transpose: a copy', [f32([3, 7])], (x) => reshape(transpose(x), [21])),
  sample('of a slice: a copy', [f32([5, 7])], (x) => tanh(reshape(slice(x, 1, 1, 5), [20]))),
  sample('of a transpose, before a product', [f32([3, 5, 7]), f32([15, 2])], (x, w) =>
    matmul(reshape(transpose(x, [2, 0, 1]), [7, 15]), w),
  ),
  sample('that cuts a strided axis', [f32([6, 5])], (x) => mul(reshape(slice(x, 1, 1, 2), [2, 3]), 2)),
];
