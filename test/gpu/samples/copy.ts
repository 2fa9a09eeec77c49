import { apply } from '../../../src/graph/value.ts';
import { copyOp } from '../../../src/ops/copy.ts';
import { gather } from '../../../src/ops/gather.ts';
import { broadcast, slice, transpose } from '../../../src/ops/structure.ts';
import { f32, i32, sample, type Sample } from '../sample.ts';

/** A copy moves indices; what they gather shows them. */
export const samples: readonly Sample[] = [
  ...[1, 63, 64, 65, 1021].map((n) =>
    sample(`of ${n}`, [f32([n, 1]), i32([n], n)], (t, i) => gather(t, apply(copyOp, {}, [i]))),
  ),
  sample('of a slice', [f32([7, 2]), i32([5, 6], 7)], (t, i) =>
    gather(t, apply(copyOp, {}, [slice(i, 1, 1, 5)])),
  ),
  sample('of four axes in another order', [f32([7, 2]), i32([2, 3, 4, 5], 7)], (t, i) =>
    gather(t, apply(copyOp, {}, [transpose(i, [3, 1, 0, 2])])),
  ),
  sample('of five axes in another order', [f32([7, 2]), i32([2, 3, 2, 3, 2], 7)], (t, i) =>
    gather(t, apply(copyOp, {}, [transpose(i, [4, 3, 2, 1, 0])])),
  ),
  sample('of a broadcast', [f32([7, 2]), i32([3, 1], 7)], (t, i) =>
    gather(t, apply(copyOp, {}, [broadcast(i, [2, 3, 5])])),
  ),
];
