// Masks (T, B) from sequence lengths.
import { sizeOf } from '../../../core/shape.ts';
import { sequenceMaskOp } from '../../../ops/sequence_mask.ts';
import { sequence_mask as kernel } from '../../../../shaders/gen/sequence_mask.ts';
import { dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { gridFor } from './wgsl_expression.ts';

export const sequenceMask = defineKernel(sequenceMaskOp, {
  dispatches: ({ inputs: [lengths], outputs: [out] }) => [
    dispatch(kernel, {
      bindings: { lengths, out },
      uniforms: { batch: lengths.view.shape[0], size: sizeOf(out.view.shape) },
      workgroups: gridFor(sizeOf(out.view.shape), 64),
    }),
  ],
});
