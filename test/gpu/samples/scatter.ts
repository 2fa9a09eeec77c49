import { square } from '../../../src/expr/arith.ts';
import type { Value } from '../../../src/graph/value.ts';
import { apply } from '../../../src/graph/value.ts';
import { gather, scatterOp } from '../../../src/ops/gather.ts';
import { sum, transpose } from '../../../src/ops/structure.ts';
import { grad } from '../../../src/train/grad.ts';
import { f32, i32, sample, type Sample } from '../sample.ts';
import { tables } from './shared/table_sizes.ts';

export const samples: readonly Sample[] = [
  ...tables.map(([rows, width, count]) =>
    sample(`${count} into ${rows}×${width}`, [f32([count, width]), i32([count], rows)], (x, i) =>
      apply(scatterOp, { rows }, [x, i]),
    ),
  ),
  sample('more rows than one sort takes, long runs', [f32([301, 3]), i32([301], 4)], (x, i) =>
    apply(scatterOp, { rows: 5 }, [x, i]),
  ),
  sample('rows that nothing reaches', [f32([11, 3]), i32([11], 2)], (x, i) =>
    apply(scatterOp, { rows: 9 }, [x, i]),
  ),
  sample('of a transposed source', [f32([3, 11]), i32([11], 5)], (x, i) =>
    apply(scatterOp, { rows: 5 }, [transpose(x), i]),
  ),
  sample('as the gradient of gather', [f32([7, 5]), i32([3, 4], 7)], (t, i) =>
    grad((table: Value) => sum(square(gather(table, i))))(t),
  ),
];

export const deviceSamples: readonly Sample[] = [
  sample('many merges, one row for all', [f32([2051, 5]), i32([2051], 1)], (x, i) =>
    apply(scatterOp, { rows: 3 }, [x, i]),
  ),
];
