// Fake quantization: rounded weights as an f32 tensor, for kernels that do not read packed weights.
import { sizeOf } from '../../../core/shape.ts';
import type { Value } from '../../../graph/value.ts';
import { isTransposed, resolveViews } from '../../../graph/views.ts';
import { fakeQuantizeOp, type FakeQuantizeAttrs } from '../../../ops/fake_quantize.ts';
import type { PackedPrecision } from '../../../ops/weight_precision.ts';
import { fake_quantize } from '../../../../shaders/gen/fake_quantize.ts';
import { dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { gridFor } from './wgsl_expression.ts';

const INT8 =
  'fn rounded(x: f32, row: u32) -> f32 {\n  return f32(int8_of(x, largest[row])) / 127.0 * largest[row];\n}';

export const fakeQuantize = defineKernel(fakeQuantizeOp, {
  dispatches: ({ attrs: { precision }, inputs: [weight, largest], outputs: [out] }) => {
    // There is no `largest` with f16.
    const size = sizeOf(out.view.shape);
    return [
      dispatch(fake_quantize, {
        bindings: { weight, out, largest },
        splices: precision === 'int8' ? { rounded: INT8 } : {},
        uniforms: { columns: out.view.shape[1], size },
        workgroups: gridFor(size, 64),
      }),
    ];
  },
});

/** The weights that a quantized value, or its transpose, was rounded from; undefined for any other value. */
export function quantizedWeight(value: Value):
  | {
      readonly precision: PackedPrecision;
      readonly weight: Value;
      /** With int8, the largest magnitude of each row. */
      readonly scales: readonly Value[];
      readonly transposed: boolean;
    }
  | undefined {
  const source = resolveViews(value);
  const { node } = source.base;
  const transposed = isTransposed(source);
  if (node?.op.name !== fakeQuantizeOp.name || transposed === undefined) return undefined;
  const { precision } = node.attrs as FakeQuantizeAttrs;
  const [weight, ...scales] = node.inputs;
  return { precision, weight, scales, transposed };
}
