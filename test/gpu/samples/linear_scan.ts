import { less, mul, sigmoid, tanh, where } from '../../../src/expr/arith.ts';
import { linearScan } from '../../../src/ops/linear_scan.ts';
import { broadcast, concat, constant, slice, transpose } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';
import { gated, scan, scanCases, scanInputs, scanName, scanShapes } from './shared/scan.ts';

export const samples: readonly Sample[] = [
  ...scanShapes.flatMap((shape) =>
    scanCases.map((kind) => sample(scanName(shape, kind), scanInputs(shape, kind), scan(kind))),
  ),
  sample('that forgets slowly', [f32([1000, 2, 3], 0.99, 1), f32([1000, 2, 3])], (a, b) => linearScan(a, b)),
  sample('that forgets at once', [f32([130, 2, 3]), f32([130, 2, 3])], (a, b) =>
    linearScan(mul(a, where(less(a, 0.5), 0, 1)), b),
  ),
  sample('of one value twice', [f32([65, 3, 5])], (x) => linearScan(x, x)),
  sample('over what it reads', [f32([65, 3, 5]), f32([65, 3, 5])], (a, b) =>
    linearScan(sigmoid(a), tanh(b), { reverse: true }),
  ),
  sample('over the values of both', [f32([65, 3, 5])], (x) => {
    const y = tanh(x);
    return linearScan(y, y);
  }),
  sample('of strided inputs', [f32([5, 70, 3]), f32([70, 4, 9]), f32([9, 7])], (a, b, initial) =>
    linearScan(transpose(a, [1, 2, 0]), slice(slice(b, 1, 1, 4), 2, 2, 7), {
      initial: transpose(slice(slice(initial, 0, 3, 8), 1, 2, 5)),
    }),
  ),
  sample('of one factor for each unit', [f32([7]), f32([65, 3, 7])], (a, b) =>
    linearScan(broadcast(sigmoid(a), [65, 3, 7]), b),
  ),
  sample('of constants', [f32([65, 3, 7])], (b) =>
    linearScan(constant(0.5, [65, 3, 7]), b, { initial: constant(2, [3, 7]) }),
  ),
  sample('written into columns', [f32([65, 3, 4]), f32([65, 3, 4])], (a, b) =>
    concat([linearScan(a, b), linearScan(a, b, { reverse: true })], 2),
  ),
  ...[5, 129].flatMap((steps) =>
    [false, true].flatMap((reverse) => {
      const name = `of gates, T ${steps}${reverse ? ', reversed' : ''}`;
      const x = f32([steps, 3, 3, 5], -3, 3);
      return [
        sample(name, [x], (x) => gated(reverse, x)),
        sample(`${name}, masked`, [x, f32([steps, 3])], (x, mask) => gated(reverse, x, mask)),
        sample(`${name}, masked, from a state`, [x, f32([steps, 3]), f32([3, 5])], (x, mask, initial) =>
          gated(reverse, x, mask, initial),
        ),
      ];
    }),
  ),
];
