import { add, mul } from '../../../src/expr/arith.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { constant, slice } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  sample('alone', [], () => constant(1.5, [3, 5])),
  sample('in an expression', [f32([3, 5])], (x) => add(mul(x, constant(2, [5])), constant(-1))),
  sample('as an operand', [f32([3, 5])], (x) => matmul(x, constant(0.1, [5, 2]))),
  sample('of which a part is read', [f32([2, 5])], (x) => matmul(x, slice(constant(0.1, [9, 2]), 0, 2, 7))),
];
