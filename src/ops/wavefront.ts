// The cost of running stacked recurrent layers as a wavefront.
import type { Cell } from '../cells/cell.ts';
import { sizeOf } from '../core/shape.ts';
import type { Value, WavefrontStep } from '../graph/value.ts';
import { resolveViews } from '../graph/views.ts';
import { fakeQuantizeOp, type FakeQuantizeAttrs } from './fake_quantize.ts';
import { flopOf, RecurrentLayout } from './recurrent_schedule.ts';
import { QUAD_WORDS, type WeightPrecision } from './weight_precision.ts';

/** Weight matrices of one layer, under PyTorch's names. */
export interface LayerMatrices {
  readonly weight_ih: Value;
  readonly weight_hh?: Value;
  readonly bias_ih?: Value;
  readonly weight_hr?: Value;
}

/** The cost of one backward wavefront step. @param weights One entry per layer, lowest first. */
export function wavefrontStep(
  cell: Cell,
  weights: readonly LayerMatrices[],
  { hidden, batch, masked }: { readonly hidden: number; readonly batch: number; readonly masked: boolean },
): WavefrontStep {
  const [, { weight_ih: ih, weight_hh: hh, weight_hr: hr, bias_ih: bias }] = weights;
  const layout = new RecurrentLayout({
    cell,
    hidden,
    projection: hr?.shape[0] ?? 0,
    pseudoLayers: weights.length,
    schedule: { arrangement: 'wavefront', form: 'training' },
    bias: bias !== undefined,
    masked,
  });
  const own = bytesOf(hh) + bytesOf(hr);
  return {
    flop: weights.length * batch * flopOf(layout, layout.phases(true)),
    bytes: weights.length * (own + bytesOf(ih)),
    layerBytes: own,
  };
}

/** Bytes of a matrix in the packed layout that the kernels read. */
const bytesOf = (matrix: Value | undefined): number =>
  matrix === undefined ? 0 : QUAD_WORDS[precisionOf(matrix)] * sizeOf(matrix.shape);

export const isInt8 = (matrix: Value): boolean => precisionOf(matrix) === 'int8';

function precisionOf(matrix: Value): WeightPrecision {
  const { node } = resolveViews(matrix).base;
  return node?.op.name === fakeQuantizeOp.name ? (node.attrs as FakeQuantizeAttrs).precision : 'float32';
}
