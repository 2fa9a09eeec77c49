import { mul } from '../../../src/expr/arith.ts';
import type { Value } from '../../../src/graph/value.ts';
import { softmaxCrossEntropy } from '../../../src/ops/softmax_cross_entropy.ts';
import { mean, sum } from '../../../src/ops/structure.ts';
import { grad } from '../../../src/train/grad.ts';
import { f32, i32, sample, type Sample } from '../sample.ts';
import { logitShapes } from './shared/logit_shapes.ts';

export const samples: readonly Sample[] = [
  ...logitShapes.map(([n, c]) =>
    sample(`${n}×${c}`, [f32([n, c], -4, 4), i32([n], c), f32([n])], (x, y, w) =>
      grad((logits: Value) => sum(mul(softmaxCrossEntropy(logits, y), w)))(x),
    ),
  ),
  sample('of the mean over three axes', [f32([2, 3, 5], -4, 4), i32([2, 3], 5)], (x, y) =>
    grad((logits: Value) => mean(softmaxCrossEntropy(logits, y)))(x),
  ),
  sample('smoothed, with ignored labels', [f32([19, 5], -4, 4), i32([19], 5), f32([19])], (x, y, w) =>
    grad((logits: Value) =>
      sum(mul(softmaxCrossEntropy(logits, y, { ignoreIndex: 3, labelSmoothing: 0.1 }), w)),
    )(x),
  ),
];
