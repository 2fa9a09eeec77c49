import { mul } from '../../../src/expr/arith.ts';
import { sequenceMask } from '../../../src/ops/sequence_mask.ts';
import { slice, transpose } from '../../../src/ops/structure.ts';
import { f32, i32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  ...(
    [
      [1, 1],
      [1, 7],
      [5, 1],
      [7, 9],
      [33, 5],
    ] as const
  ).map(([steps, batch]) =>
    sample(`${steps} steps of ${batch}`, [f32([steps, batch]), i32([batch], steps + 2)], (x, lengths) =>
      mul(x, sequenceMask(lengths, steps)),
    ),
  ),
  sample('alone', [i32([11], 9)], (lengths) => sequenceMask(lengths, 7)),
  sample('of a slice, transposed', [f32([4, 6]), i32([9], 7)], (x, lengths) =>
    mul(x, transpose(sequenceMask(slice(lengths, 0, 3, 7), 6))),
  ),
];
