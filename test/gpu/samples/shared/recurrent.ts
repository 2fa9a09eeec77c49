// Sizes of recurrent loops, shared by the samples of their ops.
import type { Cell } from '../../../../src/cells/cell.ts';
import { elmanTanh, indrnn } from '../../../../src/cells/elman.ts';
import { gru, minimalGatedUnit } from '../../../../src/cells/gru.ts';
import { gruLayerNorm } from '../../../../src/cells/layer_norm.ts';
import { lstm, lstmProjected } from '../../../../src/cells/lstm.ts';
import { withRecurrentDropout } from '../../../../src/cells/regularised.ts';
import { less } from '../../../../src/expr/arith.ts';
import type { Value } from '../../../../src/graph/value.ts';
import { recurrentSequence } from '../../../../src/ops/recurrent_sequence.ts';
import { reshape, slice } from '../../../../src/ops/structure.ts';
import type { WeightPrecision } from '../../../../src/ops/weight_precision.ts';
import { allCells } from '../../../all_cells.ts';
import { runInputs, type RunSize } from '../../../recurrent_run.ts';
import { f32, type InputSpec } from '../../sample.ts';

const hiddenSizes = [1, 3, 5, 16, 31, 64];
const batchSizes = [1, 2, 3, 5, 8, 9, 17];
const stepCounts = [1, 2, 5];

/** All cells, and two with variational dropout. */
export const sampledCells: readonly Cell[] = [
  ...allCells,
  withRecurrentDropout(lstm),
  withRecurrentDropout(lstmProjected),
];

/**
 * Every cell at every hidden size that it takes; the other attributes vary with both. Kernels with many gates, rows and units
 * compile slowly, so no size is large in all three.
 */
export const recurrentSizes: readonly RunSize[] = sampledCells.flatMap((cell, c) =>
  hiddenSizes
    .filter((hidden) => !cell.projects || hidden > 1)
    .map((hidden, h): RunSize => ({
      cell,
      hidden,
      batch: batchSizes[(6 * c + h + 1) % batchSizes.length],
      steps: stepCounts[(c + h) % stepCounts.length],
      bias: (c + h) % 2 === 0,
      pseudoLayers: (c + Math.floor(h / 2)) % 2 === 0 ? 1 : 2,
      masked: h % 2 === 1,
    })),
);

/** Wavefronts of cells of every kind: of one phase and of two, with gates apart, late, or of the input alone. */
export const wavefrontSizes: readonly RunSize[] = [
  elmanTanh,
  lstm,
  gru,
  lstmProjected,
  gruLayerNorm,
  minimalGatedUnit,
  indrnn,
].map((cell, c) => ({
  cell,
  hidden: [5, 8, 6][c % 3],
  batch: [3, 1, 5][(c + 1) % 3],
  steps: 1 + (c % 4),
  bias: c % 2 === 0,
  pseudoLayers: 2 + (c % 2),
  wavefront: true,
  masked: c % 4 === 1,
}));

export const layerMaskInputs = [
  f32([3, 2, 12]),
  f32([3, 2, 12]),
  f32([12, 4]),
  f32([12, 4]),
  f32([12, 4]),
  f32([2, 3, 2]),
];
/** Two layers of a GRU (T 3, B 2, H 4), each with a mask of its own. */
export const layerMasks = (x: Value, bias: Value, ...more: Value[]): Value[] => {
  const [lower, upper, ih, masks] = more;
  const mask = [0, 1].map((layer) => less(reshape(slice(masks, 0, layer, layer + 1), [3, 2]), 0.2));
  const { output, finals } = recurrentSequence(gru, {
    wavefront: true,
    products: [x, bias],
    weights: [{ hh: lower }, { hh: upper, ih }],
    mask,
  });
  return [output, ...finals];
};

/** A size for weights of a precision, by the position of the cell in a list. */
export const roundedSize = (cell: Cell, c: number, precision: WeightPrecision): RunSize => ({
  cell,
  hidden: [5, 8, 7, 6][c % 4],
  batch: [1, 3, 5][c % 3],
  steps: 2,
  bias: c % 2 === 0,
  pseudoLayers: c % 2 === 0 ? 1 : 2,
  masked: c % 3 === 1,
  precision,
});

export const sizeName = ({
  cell,
  steps,
  batch,
  hidden,
  bias,
  pseudoLayers,
  wavefront,
  masked,
}: RunSize): string =>
  `${cell.name}, T ${steps}, B ${batch}, H ${hidden}, D ${pseudoLayers}${wavefront === true ? ' layers' : ''}${bias ? ', bias' : ''}${masked ? ', masked' : ''}`;

/** Inputs of the magnitude that they have in a net. */
export function recurrentInputs(size: RunSize): InputSpec[] {
  const bound = 1 / Math.sqrt(size.hidden);
  return runInputs(size).map(({ name, shape }) => {
    if (name.startsWith('products')) return f32(shape, -2, 2);
    if (name.startsWith('weight')) return f32(shape, -bound, bound);
    // sLSTM divides by its normaliser n.
    if (name === 'initial n') return f32(shape, 0.5, 1.5);
    return f32(shape, -1, 1);
  });
}

/** The values, with the last as a mask of 1 and 0 where the run has one. */
export const withMask = ({ masked }: RunSize, values: readonly Value[]): Value[] =>
  values.map((value, i) => (masked && i === values.length - 1 ? less(value, 0.3) : value));

export const roundedName = (size: RunSize): string => `${sizeName(size)}, ${String(size.precision)}`;

/**
 * Sizes for the variants that load their weights once per launch, masked and in two pseudo-layers: several rows, with quads
 * that the parts of split-K do not share evenly; and two phases with vectors of two lengths, in each precision.
 */
export const persistentSizes: readonly RunSize[] = [
  { ...roundedSize(lstm, 7, 'float32'), hidden: 20, batch: 70 },
  ...(['float32', 'f16', 'int8'] as const).map((precision) => roundedSize(lstmProjected, 7, precision)),
];
