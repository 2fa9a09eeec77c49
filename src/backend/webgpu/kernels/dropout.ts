// Dropout by counter-based random numbers.
import { sizeOf } from '../../../core/shape.ts';
import { dropoutOp, roundedAttrs } from '../../../ops/dropout.ts';
import { dropout as kernel } from '../../../../shaders/gen/dropout.ts';
import { dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { gridFor } from './wgsl_expression.ts';

export const dropout = defineKernel(dropoutOp, {
  dispatches: ({ attrs, inputs: [x, seed], outputs: [out] }) => {
    const size = sizeOf(x.view.shape);
    return [
      dispatch(kernel, {
        bindings: { x, seed, out },
        uniforms: { size, stream: attrs.stream, ...roundedAttrs(attrs) },
        workgroups: gridFor(Math.ceil(size / 4), 64),
      }),
    ];
  },
});
