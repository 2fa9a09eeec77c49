import { add } from '../../../src/expr/arith.ts';
import { enter } from '../../../src/ops/checkpoint.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  sample('beside other readers', [f32([3, 3])], (x) => {
    const inner = enter(x);
    return add(matmul(inner, inner), x);
  }),
];
