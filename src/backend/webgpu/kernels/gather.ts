// Gather of the rows of a table, and scatter, which sums rows into a table.
import { sizeOf } from '../../../core/shape.ts';
import { gatherOp, scatterOp } from '../../../ops/gather.ts';
import { gather as gatherKernel } from '../../../../shaders/gen/gather.ts';
import { scatter as scatterKernel } from '../../../../shaders/gen/scatter.ts';
import { dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { gridFor } from './wgsl_expression.ts';

export const gather = defineKernel(gatherOp, {
  dispatches: ({ inputs: [table, index], outputs: [out] }) => [
    dispatch(gatherKernel, {
      bindings: { table, index, out },
      uniforms: { rows: table.view.shape[0], width: table.view.shape[1], size: sizeOf(out.view.shape) },
      workgroups: gridFor(sizeOf(out.view.shape), 64),
    }),
  ],
});

export const scatter = defineKernel(scatterOp, {
  dispatches: ({ inputs: [source, index], outputs: [out] }) => [
    dispatch(scatterKernel, {
      bindings: { source, index, out },
      uniforms: { width: out.view.shape[1], count: index.view.shape[0], rows: out.view.shape[0] },
      workgroups: gridFor(out.view.shape[0] * Math.ceil(out.view.shape[1] / 4), 64),
    }),
  ],
});
