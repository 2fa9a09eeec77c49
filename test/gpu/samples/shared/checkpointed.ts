import { add, mul, square, tanh } from '../../../../src/expr/arith.ts';
import type { Value } from '../../../../src/graph/value.ts';
import { checkpoint } from '../../../../src/ops/checkpoint.ts';
import { matmul } from '../../../../src/ops/matmul.ts';
import { sum } from '../../../../src/ops/structure.ts';
import { f32 } from '../../sample.ts';

export const checkpointInputs = [f32([5, 3]), f32([3, 3]), f32([3, 4])];

/** Two checkpoints, of which the second reads a result of the first. Both use w. */
export const checkpointed =
  (recompute: boolean) =>
  ([x, w, v]: readonly Value[]): Value => {
    const layer = ([a, b]: readonly Value[]): Value[] => [tanh(matmul(a, b)), square(matmul(a, b))];
    const [first, other] = checkpoint(layer, [x, w], recompute);
    const [second] = checkpoint(layer, [first, w], recompute);
    return sum(mul(matmul(add(second, other), v), matmul(second, v)));
  };
