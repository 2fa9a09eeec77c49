import { mul, square } from '../../../src/expr/arith.ts';
import { checkpoint } from '../../../src/ops/checkpoint.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { reshape } from '../../../src/ops/structure.ts';
import { grad } from '../../../src/train/grad.ts';
import { f32, sample, type Sample } from '../sample.ts';
import { checkpointed, checkpointInputs } from './shared/checkpointed.ts';

export const samples: readonly Sample[] = [
  sample('gradients of two layers', checkpointInputs, (...inputs) => grad(checkpointed(true))(inputs)),
  sample('gradients from what was stored', checkpointInputs, (...inputs) =>
    grad(checkpointed(false))(inputs),
  ),
  ...[true, false].map((recompute) =>
    sample(`an input given twice, ${recompute}`, [f32([3, 3])], (x) =>
      checkpoint(([b, c]) => [mul(b, matmul(b, c))], [x, x], recompute),
    ),
  ),
  sample('values', checkpointInputs, (x, w, v) => checkpointed(true)([x, w, v])),
  ...[true, false].map((recompute) =>
    sample(`a reshape that is reshaped again, ${recompute}`, [f32([3, 4])], (x) =>
      checkpoint(([y]) => [square(reshape(y, [12]))], [reshape(x, [2, 6])], recompute),
    ),
  ),
];
