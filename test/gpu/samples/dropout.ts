import { mul, square, tanh } from '../../../src/expr/arith.ts';
import type { Value } from '../../../src/graph/value.ts';
import { dropout, dropoutMask } from '../../../src/ops/dropout.ts';
import { slice, transpose } from '../../../src/ops/structure.ts';
import { f32, i32, sample, type Sample } from '../sample.ts';

/** A seed is two words of any 32 bits. */
const seed = i32([2], 2 ** 32);

const drawn = (x: Value, p: number, key: Value, stream = 0): Value =>
  dropout(x, p, { seed: key, stream: () => stream });

export const samples: readonly Sample[] = [
  ...[1, 3, 4, 5, 255, 256, 257, 1021].map((n) =>
    sample(`of ${n}`, [f32([n]), seed], (x, key) => drawn(x, 0.3, key)),
  ),
  sample('of a scalar, nearly never dropped', [f32([]), seed], (x, key) => drawn(x, 1e-9, key)),
  sample('of three axes, after an expression', [f32([3, 5, 7]), seed], (x, key) =>
    drawn(tanh(x), 0.5, key, 4_000_000_000),
  ),
  sample('of a transpose, before an expression', [f32([5, 9]), seed], (x, key) =>
    square(drawn(transpose(x), 0.9, key, 2)),
  ),
  sample('with a slice of seeds', [f32([5, 9]), i32([5], 2 ** 32)], (x, keys) =>
    drawn(x, 0.25, slice(keys, 0, 1, 3)),
  ),
  sample('two streams of one seed', [f32([5, 9]), seed], (x, key) =>
    drawn(drawn(x, 0.25, key, 0), 0.25, key, 1),
  ),
  sample('as a mask', [f32([5, 9]), seed], (x, key) => mul(x, dropoutMask([9], 0.5, key, 3))),
];
