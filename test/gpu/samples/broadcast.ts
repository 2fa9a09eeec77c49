import { mul, tanh } from '../../../src/expr/arith.ts';
import { broadcast } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  sample('a scalar', [f32([])], (x) => broadcast(x, [3, 5])),
  sample('a column', [f32([5, 1])], (x) => broadcast(x, [5, 7])),
  sample('new axes', [f32([7])], (x) => mul(broadcast(x, [2, 3, 7]), 2)),
  sample('in the middle', [f32([3, 1, 5])], (x) => broadcast(x, [2, 3, 4, 5])),
  sample('of an expression', [f32([5, 1]), f32([5, 7])], (x, y) => mul(broadcast(tanh(x), [5, 7]), y)),
];
