import { mul } from '../../../src/expr/arith.ts';
import { transpose } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  sample('of a matrix', [f32([3, 7])], (x) => transpose(x)),
  sample('all orders of three axes', [f32([2, 3, 5])], (x) =>
    [
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ].map((order) => transpose(x, order)),
  ),
  sample('of four axes', [f32([2, 3, 5, 7])], (x) => mul(transpose(x, [3, 1, 0, 2]), 2)),
  sample('of a transpose', [f32([2, 3, 5])], (x) => transpose(transpose(x, [1, 2, 0]), [1, 2, 0])),
];
