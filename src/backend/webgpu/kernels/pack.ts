// Packs weight matrices: one launch for each set of equal blocks.
import { packOp } from '../../../ops/pack.ts';
import { quadsOf, type WeightPrecision } from '../../../ops/weight_precision.ts';
import { pack_weight } from '../../../../shaders/gen/pack_weight.ts';
import { dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { gridFor } from './wgsl_expression.ts';

/** For each precision, the binding of the result and the WGSL of a packed quad. */
const STORES: Readonly<
  Record<WeightPrecision, { readonly result: 'packed' | 'halves' | 'bytes'; readonly value: string }>
> = {
  float32: { result: 'packed', value: 'four' },
  f16: { result: 'halves', value: 'halves_of(four)' },
  int8: { result: 'bytes', value: 'bytes_of(four, largest[column])' },
};

export const pack = defineKernel(packOp, {
  dispatches: ({ attrs: { precision, blocks, matrices }, inputs, outputs: [packed] }) => {
    const { result, value } = STORES[precision];
    return blocks.map(({ input, count, depth, units, source, target, scale }) =>
      dispatch(pack_weight, {
        // The input after the matrices exists only with int8.
        bindings: { weight: inputs[input], [result]: packed, largest: inputs[matrices] },
        splices: {
          store: `fn store(quad: u32, four: vec4f, column: u32) {\n  ${result}[quad] = ${value};\n}`,
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
