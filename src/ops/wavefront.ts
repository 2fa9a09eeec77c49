// The cost of running stacked recurrent layers as a wavefront, by which a target decides.
import type { Cell } from '../cells/cell.ts';
import { sizeOf } from '../core/shape.ts';
import type { Value, WavefrontStep } from '../graph/value.ts';
import { quantizedWeight } from './fake_quantize.ts';
import { flopOf, RecurrentLayout } from './recurrent_schedule.ts';
import { QUAD_WORDS } from './weight_precision.ts';

/** The matrices of one layer, under PyTorch's names without the suffix. */
export interface LayerMatrices {
  /** (G·H, I of this layer). */
  readonly weight_ih: Value;
  readonly weight_hh?: Value;
  readonly weight_hr?: Value;
}

/** The properties of a layer that the cost depends on. */
interface StepSize {
  readonly hidden: number;
  readonly batch: number;
  readonly bias: boolean;
  readonly masked: boolean;
}

/** The cost of one backward wavefront step. @param layers One entry per layer, lowest first. */
export function wavefrontStep(
  cell: Cell,
  layers: readonly LayerMatrices[],
  { hidden, batch, bias, masked }: StepSize,
): WavefrontStep {
  const [, { weight_ih, weight_hh, weight_hr }] = layers;
  const layout = new RecurrentLayout({
    cell,
    hidden,
    projection: weight_hr?.shape[0] ?? 0,
    pseudoLayers: layers.length,
    wavefront: true,
    inference: false,
    bias,
    masked,
  });
  const own = packedBytes(weight_hh) + packedBytes(weight_hr);
  return {
    flop: layers.length * batch * flopOf(layout, layout.phases(true)),
    bytes: layers.length * (own + packedBytes(weight_ih)),
    layerBytes: own,
  };
}

/** Bytes of a matrix in the packed layout that the kernels read. */
const packedBytes = (matrix: Value | undefined): number =>
  matrix === undefined
    ? 0
    : QUAD_WORDS[quantizedWeight(matrix)?.precision ?? 'float32'] * sizeOf(matrix.shape);
