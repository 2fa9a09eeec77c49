// Fake quantization of weights.
import { denseView } from '../../../core/view.ts';
import { fakeQuantizeOp } from '../../../ops/fake_quantize.ts';
import { roundedWeight, type PackedPrecision } from '../../../ops/weight_precision.ts';
import { defineKernel, elementsOf, type Operand } from './kernel.ts';

export const fakeQuantize = defineKernel(fakeQuantizeOp, {
  readsStrided: () => true,
  run: ({ precision }, [weight], [out]) => elementsOf(out).set(roundedMatrix(precision, weight).data),
});

/** A matrix (N, K) with each element rounded to the precision in which weights are stored. */
export function roundedMatrix(precision: PackedPrecision, { data, view }: Operand): Operand {
  const [rows, columns] = view.shape;
  const rounded = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const at = (column: number): number =>
      data[view.offset + row * view.strides[0] + column * view.strides[1]];
    let largest = 0;
    for (let column = 0; column < columns; column++)
      largest = Math.max(largest, Math.fround(Math.abs(at(column))));
    for (let column = 0; column < columns; column++)
      rounded[row * columns + column] = roundedWeight(precision, at(column), largest);
  }
  return { data: rounded, view: denseView([rows, columns]) };
}
