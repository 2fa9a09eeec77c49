import { mul, tanh } from '../../../src/expr/arith.ts';
import { gather } from '../../../src/ops/gather.ts';
import { slice, transpose } from '../../../src/ops/structure.ts';
import { f32, i32, sample, type Sample } from '../sample.ts';
import { tables } from './shared/table_sizes.ts';

export const samples: readonly Sample[] = [
  ...tables.map(([rows, width, count]) =>
    sample(`${count} of ${rows}×${width}`, [f32([rows, width]), i32([count], rows)], (t, i) => gather(t, i)),
  ),
  sample('indices of two axes', [f32([7, 5]), i32([3, 4], 7)], (t, i) => gather(t, i)),
  sample('of a transposed table', [f32([5, 7]), i32([11], 7)], (t, i) => gather(transpose(t), i)),
  sample('of a sliced table', [f32([9, 8]), i32([11], 5)], (t, i) =>
    gather(slice(slice(t, 0, 2, 7), 1, 1, 4), i),
  ),
  sample('of a computed table', [f32([7, 5]), i32([11], 7)], (t, i) => mul(gather(tanh(t), i), 2)),
  sample('twice from one table', [f32([7, 5]), i32([11], 7), i32([11], 7)], (t, i, j) =>
    mul(gather(t, i), gather(t, j)),
  ),
];

export const deviceSamples: readonly Sample[] = [
  sample('a grid folded over y', [f32([3, 1459]), i32([1451], 3)], (t, i) => gather(t, i)),
];
