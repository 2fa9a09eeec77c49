// Fake quantization: rounded weights as an f32 tensor, for kernels that do not read packed weights.
import { sizeOf } from '../../../core/shape.ts';
import { fakeQuantizeOp } from '../../../ops/fake_quantize.ts';
import { fake_quantize } from '../../../../shaders/gen/fake_quantize.ts';
import { dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { gridFor } from './wgsl_expression.ts';

const INT8 =
  'fn rounded(x: f32, row: u32) -> f32 {\n  return f32(int8_of(x, largest[row])) / 127.0 * largest[row];\n}';

export const fakeQuantize = defineKernel(fakeQuantizeOp, {
  dispatches: ({ attrs: { precision }, inputs: [weight, largest], outputs: [out] }) => {
    const size = sizeOf(out.view.shape);
    return [
      dispatch(fake_quantize, {
        bindings: { weight, out },
        // With int8 alone.
        optional: { largest },
        splices: precision === 'int8' ? { rounded: INT8 } : {},
        uniforms: { columns: out.view.shape[1], size },
        workgroups: gridFor(size, 64),
      }),
    ];
  },
});
