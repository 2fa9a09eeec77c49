import { mul, square, tanh } from '../../../src/expr/arith.ts';
import { slice, split, sum } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  sample('the front', [f32([7, 3])], (x) => slice(x, 0, 0, 1)),
  sample('the back', [f32([7, 3])], (x) => slice(x, 0, -2)),
  sample('columns', [f32([7, 5])], (x) => slice(x, 1, 1, 4)),
  sample('a part of a part', [f32([9, 9])], (x) => slice(slice(slice(x, 0, 1), 1, 2), 0, 3, 5)),
  sample('equal parts', [f32([5, 12])], (x) => split(x, 4).map((part, i) => mul(part, i + 1))),
  sample('given parts', [f32([12, 5])], (x) => split(x, [1, 7, 4], 0)),
  sample('of an expression', [f32([5, 12])], (x) => split(tanh(x), 2)),
  sample('of a part', [f32([5, 12])], (x) => split(split(x, [5, 7], 1)[1], [2, 3], 0)),
  sample('one of which is read', [f32([7, 3])], (x) => sum(square(split(x, [2, 5])[1]))),
  sample('of its columns', [f32([5, 12])], (x) => split(x, [1, 7, 4], 1)),
];
