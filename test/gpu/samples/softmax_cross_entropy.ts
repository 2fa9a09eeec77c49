import { crossEntropyRows, softmaxCrossEntropy } from '../../../src/ops/softmax_cross_entropy.ts';
import { mean, transpose } from '../../../src/ops/structure.ts';
import { f32, i32, sample, type Sample } from '../sample.ts';
import { logitShapes } from './shared/logit_shapes.ts';

export const samples: readonly Sample[] = [
  ...logitShapes.map(([n, c]) =>
    sample(`${n}×${c}`, [f32([n, c], -4, 4), i32([n], c)], (x, y) => softmaxCrossEntropy(x, y)),
  ),
  sample('three axes', [f32([2, 3, 5], -4, 4), i32([2, 3], 5)], (x, y) => softmaxCrossEntropy(x, y)),
  sample('transposed logits', [f32([5, 7], -4, 4), i32([7], 5)], (x, y) =>
    softmaxCrossEntropy(transpose(x), y),
  ),
  sample('mean loss', [f32([17, 5], -4, 4), i32([17], 5)], (x, y) => mean(softmaxCrossEntropy(x, y))),
  sample('ignored labels, and which rows count', [f32([17, 5], -4, 4), i32([17], 5)], (x, y) => {
    const { losses, counts } = crossEntropyRows(x, y, { ignoreIndex: 2 });
    return [losses, counts];
  }),
  ...logitShapes.map(([n, c]) =>
    sample(`smoothed, ${n}×${c}`, [f32([n, c], -4, 4), i32([n], c)], (x, y) =>
      softmaxCrossEntropy(x, y, { ignoreIndex: 1, labelSmoothing: 0.3 }),
    ),
  ),
];

/** Logits whose exp overflows. */
const hugeLogits = sample('huge logits', [f32([5, 7], -2e4, 2e4), i32([5], 7)], (x, y) =>
  softmaxCrossEntropy(x, y),
);

const foldedSoftmax = sample('a grid folded over y', [f32([1_048_577, 1]), i32([1_048_577], 1)], (x, y) =>
  softmaxCrossEntropy(x, y),
);

export const deviceSamples: readonly Sample[] = [hugeLogits, foldedSoftmax];
