// Packs weight matrices: one launch for each set of equal blocks.
import { packOp } from '../../../ops/pack.ts';
import { quadsOf } from '../../../ops/weight_precision.ts';
import { pack_weight } from '../../../../shaders/gen/pack_weight.ts';
import { dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { WEIGHT_TEXT } from './weight_text.ts';
import { gridFor } from './wgsl_expression.ts';

export const pack = defineKernel(packOp, {
  dispatches: ({ attrs: { precision, blocks, matrices }, inputs, outputs: [out] }) => {
    const { bindings, packed } = WEIGHT_TEXT[precision];
    const result = bindings.pack;
    return blocks.map(({ input, count, depth, units, source, target, scale }) =>
      dispatch(pack_weight, {
        bindings: { weight: inputs[input], [result]: out },
        // The input after the matrices exists only with int8.
        optional: { largest: inputs[matrices] },
        splices: {
          store: `fn store(quad: u32, four: vec4f, column: u32) {\n  ${result}[quad] = ${packed('four', 'largest[column]')};\n}`,
        },
        uniforms: {
          source_offset: source.first,
          target_offset: target.first,
          scale_offset: scale,
          blocks: count,
          depth,
          units,
          source_strides: source.strides,
          target_strides: target.strides,
        },
        workgroups: gridFor(count * quadsOf(depth) * units, 64),
      }),
    );
  },
});
