// The recurrent loops on WebGPU: their variants and their legalization. Legalizing packs the weights, selects the inference
// form if nothing reads the saved activations, and splits a stream's single step so that one part is prefetched.
import { fakeQuantizeOp, type FakeQuantizeAttrs } from '../../../../ops/fake_quantize.ts';
import { applyNamed, operandsOf } from '../../../../graph/operands.ts';
import type { Node, Value } from '../../../../graph/value.ts';
import { isTransposed, resolveViews } from '../../../../graph/views.ts';
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
import { prefetchedStep } from './prefetch.ts';
import { loopDispatches, loopVariants } from './variants.ts';

export const recurrent = defineKernel(recurrentOp, {
  legalize: (node, use) => {
    const { operands, inference } = node.attrs;
    const isUnread = TRAINING_OUTPUTS.every((output) => !use.reads(output));
    if (isUnread && !inference) {
      // The second input, after the reserve, contains the initial states.
      const isPrefetched = operands.initial > 0 && use.isPrefetchable(1) && !use.isPrefetchable(0);
      return (isPrefetched ? prefetchedStep(node) : undefined) ?? inferenceForm(node);
    }
    return packed(node, false);
  },
  variants: (placed, device) => loopVariants(placed, device, false),
  dispatches: (placed, device, variant) => loopDispatches(placed, device, variant, false),
});

export const recurrentBackward = defineKernel(recurrentBackwardOp, {
  legalize: (node) => packed(node, true),
  variants: (placed, device) => loopVariants(placed, device, true),
  dispatches: (placed, device, variant) => loopDispatches(placed, device, variant, true),
});

interface StoredMatrices {
  readonly precision: WeightPrecision;
  /** The unrounded matrices. */
  readonly matrices: readonly Value[];
  /** With int8, the largest magnitude of each row. */
  readonly scales: readonly Value[];
}

/** The stored matrices, if all have one precision that the kernels can read; otherwise undefined. */
function storedMatrices(weights: readonly Value[]): StoredMatrices | undefined {
  const makers = weights.map((matrix) => {
    const source = resolveViews(matrix);
    const { node } = source.base;
    return node?.op.name === fakeQuantizeOp.name && isTransposed(source) === false ? node : undefined;
  });
  const [first] = makers;
  if (first === undefined) return undefined;
  const { precision } = first.attrs as FakeQuantizeAttrs;
  const isSame = makers.every(
    (node) => node !== undefined && (node.attrs as FakeQuantizeAttrs).precision === precision,
  );
  if (!isSame) return undefined;
  const inputs = makers.map((node) => node?.inputs ?? []);
  return {
    precision,
    matrices: inputs.map(([matrix]) => matrix),
    scales: inputs.flatMap(([, scale]) => scale ?? []),
  };
}

/** The outputs of the node with packed weights; undefined if they are packed already or the node has none. */
function packed(node: Node<RecurrentAttrs>, backward: boolean): readonly Value[] | undefined {
  const { attrs, inputs, op } = node;
  const operands = operandsOf(attrs.operands, inputs);
  if (attrs.packed !== undefined || operands.weights.length === 0) return undefined;
  const layout = new RecurrentLayout(attrs);
  const stored = storedMatrices(operands.weights);
  // int8 has one scale per row, so a sum may not run over rows or mix two matrices.
  const takesInt8 = !backward && !layout.isWavefront;
  const { precision, matrices, scales } =
    stored === undefined || (stored.precision === 'int8' && !takesInt8)
      ? { precision: 'float32' as const, matrices: operands.weights, scales: [] }
      : stored;
  const all = scales.length > 0 ? [concat(scales)] : [];
  const words = packWeights(layout, backward, precision, matrices, all);
  const own = { ...operands, weights: matrices, packed: [words], scales: all };
  return applyNamed(op, { ...attrs, packed: precision }, own);
}
