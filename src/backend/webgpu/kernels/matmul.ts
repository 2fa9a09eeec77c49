// The matmul kernel of WebGPU (its variants are in matmul_variants.ts). Its legalization packs a weight of f16 or int8 precision
// in a separate step, which is memoised while weights are frozen; the kernels unpack it as they load it.
import { apply } from '../../../graph/value.ts';
import { quantizedWeight } from '../../../ops/fake_quantize.ts';
import { matmulOp, matmulSizes } from '../../../ops/matmul.ts';
import { packOp } from '../../../ops/pack.ts';
import { QUAD_WORDS, quadsOf } from '../../../ops/weight_precision.ts';
import { defineKernel } from './kernel.ts';
import { MAX_MATMUL_EXTRAS } from './matmul_launch.ts';
import { matmulDispatches, matmulVariants, splitsFor } from './matmul_variants.ts';

export const matmul = defineKernel(matmulOp, {
  // With packed weights, input 2 is the packed form.
  readsStrided: (input, { packed }) => packed === undefined || input !== 2,
  writesStrided: () => true,
  epilogueInputs: ({ packed }) => MAX_MATMUL_EXTRAS - (packed?.precision === 'int8' ? 1 : 0),
  // The partial sums of split-K, which is a variant wherever it pays; unused otherwise.
  scratch: (attrs, inputs) => {
    const sizes = matmulSizes(attrs, inputs);
    const splits = splitsFor(sizes);
    return splits > 1 ? [splits * sizes.m * sizes.n] : [];
  },
  legalize: ({ attrs, inputs: [a, b, ...rest] }) => {
    const quantized = quantizedWeight(b);
    if (attrs.packed !== undefined || quantized === undefined) return undefined;
    const { precision, weight, scales, transposed } = quantized;
    // If the product sums over the rows of int8 weights, each term has its own scale, which an epilogue cannot apply.
    if (precision === 'int8' && !transposed) return undefined;
    const [rows, columns] = weight.shape;
    const quads = quadsOf(columns);
    const blocks = [
      {
        input: 0,
        count: 1,
        depth: columns,
        units: rows,
        source: { first: 0, strides: [0, 1, columns] as const },
        target: { first: 0, strides: [0, 1, quads] as const },
        scale: 0,
      },
    ];
    const size = QUAD_WORDS[precision] * quads * rows;
    const words = apply(packOp, { precision, size, blocks, matrices: 1 }, [weight, ...scales]);
    const packed = { ...attrs, packed: { precision, transposed } };
    return [apply(matmulOp, packed, [a, weight, words, ...scales, ...rest])];
  },
  variants: matmulVariants,
  dispatches: matmulDispatches,
});
