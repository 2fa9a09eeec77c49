// The recurrent loops on WebGPU: their variants and their legalization. Legalizing packs the weights and selects the inference
// form if nothing reads the saved activations.
import { applyNamed, operandsOf } from '../../../../graph/operands.ts';
import type { Node, Value } from '../../../../graph/value.ts';
import { quantizedWeight } from '../../../../ops/fake_quantize.ts';
import {
  inferenceForm,
  recurrentBackwardOp,
  recurrentOp,
  TRAINING_OUTPUTS,
} from '../../../../ops/recurrent.ts';
import { RecurrentLayout, type RecurrentAttrs } from '../../../../ops/recurrent_schedule.ts';
import { concat } from '../../../../ops/structure.ts';
import type { WeightPrecision } from '../../../../ops/weight_precision.ts';
import { defineKernel } from '../kernel.ts';
import { packWeights } from './packing.ts';
import { loopDispatches, loopVariants } from './variants.ts';

export const recurrent = defineKernel(recurrentOp, {
  legalize: (node, use) => {
    const isUnread = TRAINING_OUTPUTS.every((output) => !use.reads(output));
    return isUnread && !node.attrs.inference ? inferenceForm(node) : packed(node, false);
  },
  variants: (placed, device) => loopVariants(placed, device, false),
  dispatches: (placed, device, variant) => loopDispatches(placed, device, variant, false),
});

export const recurrentBackward = defineKernel(recurrentBackwardOp, {
  legalize: (node) => packed(node, true),
  variants: (placed, device) => loopVariants(placed, device, true),
  dispatches: (placed, device, variant) => loopDispatches(placed, device, variant, true),
});

/** The unrounded matrices, if all have one precision that the kernels can read; otherwise those of the node, in float32. */
function storedMatrices(
  weights: readonly Value[],
  takesInt8: boolean,
): {
  readonly precision: WeightPrecision;
  readonly matrices: readonly Value[];
  /** With int8, the largest magnitude of each row. */
  readonly scales: readonly Value[];
} {
  const stored = weights.flatMap((matrix) => quantizedWeight(matrix) ?? []);
  const precisions = new Set(stored.map(({ precision }) => precision));
  const [precision] = precisions;
  const isPacked =
    stored.length === weights.length &&
    precisions.size === 1 &&
    stored.every(({ transposed }) => !transposed);
  if (!isPacked || (precision === 'int8' && !takesInt8))
    return { precision: 'float32', matrices: weights, scales: [] };
  return {
    precision,
    matrices: stored.map(({ weight }) => weight),
    scales: stored.flatMap(({ scales }) => scales),
  };
}

/** The outputs of the node with packed weights; undefined if they are packed already or the node has none. */
function packed(node: Node<RecurrentAttrs>, backward: boolean): readonly Value[] | undefined {
  const { attrs, inputs, op } = node;
  const operands = operandsOf(attrs.operands, inputs);
  if (attrs.packed !== undefined || operands.weights.length === 0) return undefined;
  const layout = new RecurrentLayout(attrs);
  // int8 has one scale per row, so a sum may not run over rows or mix two matrices.
  const takesInt8 = !backward && !layout.isWavefront;
  const { precision, matrices, scales } = storedMatrices(operands.weights, takesInt8);
  const all = scales.length > 0 ? [concat(scales)] : [];
  const words = packWeights(layout, backward, precision, matrices, all);
  const own = { ...operands, weights: matrices, packed: [words], scales: all };
  return applyNamed(op, { ...attrs, packed: precision }, own);
}
