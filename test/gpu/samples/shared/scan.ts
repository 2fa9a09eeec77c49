import type { Shape } from '../../../../src/core/shape.ts';
import { less, mul, sigmoid, sub, tanh } from '../../../../src/expr/arith.ts';
import { Expr, inputName } from '../../../../src/expr/expr.ts';
import type { Value } from '../../../../src/graph/value.ts';
import { linearScan, linearScanOf } from '../../../../src/ops/linear_scan.ts';
import { f32, type InputSpec } from '../../sample.ts';

/** Few columns and enough for a small device; steps that make one chunk, whole chunks and a partial one. */
export const scanShapes: readonly (readonly [steps: number, batch: number, hidden: number])[] = [
  [1, 1, 1],
  [1, 3, 5],
  [2, 1, 3],
  [3, 5, 7],
  [7, 3, 11],
  [64, 1, 1],
  [64, 5, 13],
  [129, 3, 5],
  [129, 1, 67],
  [1000, 1, 3],
];

export interface ScanCase {
  readonly reverse: boolean;
  readonly initial: boolean;
}

export const scanCases: readonly ScanCase[] = [false, true].flatMap((reverse) =>
  [false, true].map((initial) => ({ reverse, initial })),
);

export const scanName = (shape: Shape, { reverse, initial }: ScanCase): string =>
  `${shape.join('×')}${reverse ? ', reversed' : ''}${initial ? ', from a state' : ''}`;

export const scanInputs = (shape: Shape, { initial }: ScanCase): InputSpec[] => [
  f32(shape, -1, 1.1),
  f32(shape),
  ...(initial ? [f32(shape.slice(1))] : []),
];

export const scan =
  ({ reverse }: ScanCase) =>
  (a: Value, b: Value, initial?: Value): Value =>
    linearScan(a, b, { reverse, ...(initial && { initial }) });

/** The step of a MinLSTM: two gates and a candidate. */
const [forgetGate, inputGate, candidate] = [0, 1, 2].map((slot) => Expr.input(inputName(slot)));

export const gatedStep = [
  sigmoid(sub(forgetGate, inputGate)),
  mul(sigmoid(inputGate), tanh(candidate)),
] as const;

export const gated = (reverse: boolean, x: Value, mask?: Value, initial?: Value): Value =>
  linearScanOf(gatedStep, [x], {
    reverse,
    ...(mask && { mask: less(mask, 0.3) }),
    ...(initial && { initial }),
  });
