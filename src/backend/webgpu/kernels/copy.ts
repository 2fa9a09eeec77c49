// Strided copies of i32 tensors.
import { sizeOf } from '../../../core/shape.ts';
import { copyOp } from '../../../ops/copy.ts';
import { copy as kernel } from '../../../../shaders/gen/copy.ts';
import { bindWhole, dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { four, gridFor, launchesOf, operandUniform } from './wgsl_expression.ts';

export const copy = defineKernel(copyOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  dispatches: ({ inputs: [source], outputs: [out] }) => {
    const launches = launchesOf([source.view, out.view]);
    const { shape } = launches[0][0];
    const size = sizeOf(shape);
    return [
      dispatch(kernel, {
        bindings: { source: bindWhole(source), out: bindWhole(out) },
        uniforms: launches.map(([from, to]) => ({
          dims: four(shape, 1),
          size,
          source: operandUniform(from),
          out: operandUniform(to),
        })),
        workgroups: gridFor(size, 64),
      }),
    ];
  },
});
