import { gru } from '../../../src/cells/gru.ts';
import { lstm } from '../../../src/cells/lstm.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { recurrent } from '../../../src/ops/recurrent_sequence.ts';
import { constant, slice, transpose, zeros } from '../../../src/ops/structure.ts';
import { runFused, type RunSize } from '../../recurrent_run.ts';
import { f32, roundingSample, sample, type Sample } from '../sample.ts';
import { packedPrecisions } from './shared/packed_precisions.ts';
import {
  layerMaskInputs,
  layerMasks,
  persistentSizes,
  recurrentInputs,
  recurrentSizes,
  roundedName,
  roundedSize,
  sampledCells,
  sizeName,
  wavefrontSizes,
  withMask,
} from './shared/recurrent.ts';

const resultsOf =
  (size: RunSize): Sample['build'] =>
  (...values) => {
    const { output, finals } = runFused(size, withMask(size, values));
    return [output, ...finals];
  };
const forward = (size: RunSize): Sample =>
  roundingSample(roundedName(size), recurrentInputs(size), resultsOf(size));

/** Two cells, which reach every variant, and a wavefront. */
const roundedSamples: readonly Sample[] = [
  ...packedPrecisions.flatMap((precision) =>
    [lstm, gru].map((cell, c) => forward(roundedSize(cell, c + 1, precision))),
  ),
  forward({ ...roundedSize(gru, 3, 'f16'), pseudoLayers: 3, wavefront: true }),
];

export const samples: readonly Sample[] = [
  ...[...recurrentSizes, ...wavefrontSizes].map((size) =>
    sample(sizeName(size), recurrentInputs(size), resultsOf(size)),
  ),
  sample('two layers', [f32([3, 2, 20]), f32([20, 5]), f32([2, 2, 5]), f32([5, 20])], (x, w, h, between) => {
    const first = recurrent(lstm, x, w, h).output;
    return recurrent(lstm, matmul(first, between), w, h).output;
  }),
  sample('of strided inputs', [f32([2, 3, 30]), f32([5, 20]), f32([2, 2, 10])], (x, w, h) => {
    const products = slice(transpose(x, [1, 0, 2]), 2, 3, 23);
    return recurrent(lstm, products, transpose(w), slice(h, 2, 0, 5)).output;
  }),
  sample('layers of which each is masked at other steps', layerMaskInputs, layerMasks),
  sample('from zeros, with a constant bias', [f32([3, 2, 9]), f32([9, 3])], (x, w) => {
    return recurrent(gru, x, w, zeros([1, 2, 3]), constant(0.5, [9])).output;
  }),
  ...roundedSamples,
];

/** All other cells with int8 weights. */
export const deviceSamples: readonly Sample[] = sampledCells
  .filter((cell) => cell.recurrentGates.length > 0)
  .map((cell, c) => forward(roundedSize(cell, c, 'int8')))
  .filter((one) => !roundedSamples.some(({ name }) => name === one.name));

export const persistentSamples: readonly Sample[] = persistentSizes.map(forward);
