import { less, mul, sigmoid } from '../../../src/expr/arith.ts';
import type { Value } from '../../../src/graph/value.ts';
import { applyAll } from '../../../src/graph/value.ts';
import { linearScan, linearScanBackwardOp } from '../../../src/ops/linear_scan.ts';
import { concat, sum } from '../../../src/ops/structure.ts';
import { grad } from '../../../src/train/grad.ts';
import { f32, sample, type Sample } from '../sample.ts';
import { gated, gatedStep, scan, scanCases, scanInputs, scanName, scanShapes } from './shared/scan.ts';

export const samples: readonly Sample[] = [
  ...scanShapes.flatMap((shape) =>
    scanCases.map((kind) =>
      sample(scanName(shape, kind), [f32(shape), ...scanInputs(shape, kind)], (d, ...inputs) =>
        grad(([a, b, initial]: Value[]) => sum(mul(scan(kind)(a, b, initial), d)))(inputs),
      ),
    ),
  ),
  sample('of one value twice', [f32([65, 3, 5]), f32([65, 3, 5])], (x, d) =>
    grad((x: Value) => sum(mul(linearScan(x, x), d)))(x),
  ),
  sample('of a plain sum', [f32([65, 3, 5])], (x) => grad((x: Value) => sum(linearScan(sigmoid(x), x)))(x)),
  sample('of both directions in columns', [f32([65, 3, 4]), f32([65, 3, 8])], (x, d) =>
    grad((x: Value) => {
      const a = sigmoid(x);
      return sum(mul(concat([linearScan(a, x), linearScan(a, x, { reverse: true })], 2), d));
    })(x),
  ),
  ...[5, 129].flatMap((steps) =>
    [false, true].map((reverse) =>
      sample(
        `of gates, T ${steps}${reverse ? ', reversed' : ''}, masked`,
        [f32([steps, 3, 3, 5], -3, 3), f32([steps, 3]), f32([3, 5]), f32([steps, 3, 5])],
        (x, mask, initial, d) =>
          grad(([x, initial]: Value[]) => sum(mul(gated(reverse, x, mask, initial), d)))([x, initial]),
      ),
    ),
  ),
  ...[1, 65].flatMap((steps) =>
    [false, true].map((reverse) =>
      sample(
        `on its own, T ${steps}${reverse ? ', reversed' : ''}`,
        [f32([steps, 3, 3, 5], -3, 3), f32([steps, 3]), f32([steps, 3, 5]), f32([steps, 3, 5]), f32([3, 5])],
        (x, mask, h, d, initial) =>
          applyAll(
            linearScanBackwardOp,
            { reverse, step: gatedStep, operands: { sources: 1, mask: 1, h: 1, dH: 1, initial: 1 } },
            [x, less(mask, 0.3), h, d, initial],
          ),
      ),
    ),
  ),
];
