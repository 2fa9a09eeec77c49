// Packs weight matrices: one launch per run of equal blocks.
import { packOp } from '../../../ops/pack.ts';
import { quadsOf, type WeightPrecision } from '../../../ops/weight_precision.ts';
import { pack_weight } from '../../../../shaders/gen/pack_weight.ts';
import { bindDense, dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { gridFor } from './wgsl_expression.ts';

/** The result's binding, and the WGSL that packs a quad. */
const STORES: Readonly<
  Record<WeightPrecision, { readonly result: 'packed' | 'halves' | 'bytes'; readonly value: string }>
> = {
  float32: { result: 'packed', value: 'four' },
  f16: { result: 'halves', value: 'halves_of(four)' },
  int8: { result: 'bytes', value: 'bytes_of(four, largest[unit])' },
};

export const pack = defineKernel(packOp, {
  dispatches: ({ attrs: { precision, blocks, matrices }, inputs, outputs: [packed] }) => {
    const { result, value } = STORES[precision];
    return blocks.map(({ input, count, depth, units, source, target, scale }) =>
      dispatch(pack_weight, {
        bindings: {
          weight: bindDense(inputs[input]),
          [result]: bindDense(packed),
          ...(precision === 'int8' ? { largest: bindDense(inputs[matrices]) } : {}),
        },
        splices: { store: `fn store(quad: u32, four: vec4f, unit: u32) {\n  ${result}[quad] = ${value};\n}` },
        uniforms: {
          first: source.first,
          start: target.first,
          blocks: count,
          depth,
          units,
          unit: scale,
          strides: source.strides,
          packed: target.strides,
        },
        workgroups: gridFor(count * quadsOf(depth) * units, 64),
      }),
    );
  },
});
