import { exp, mul, tanh } from '../../../src/expr/arith.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { concat, constant, gap } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  sample('between pieces', [f32([3, 5])], (x) =>
    mul(concat([tanh(x), gap([3, 2]), exp(x)], 1), constant(2, [12])),
  ),
  sample('in front of a product', [f32([3, 5]), f32([7, 2])], (x, w) =>
    matmul(concat([gap([3, 2]), x], 1), w),
  ),
  sample('in the result', [f32([3, 5])], (x) => concat([x, gap([1, 5])], 0)),
];
