import { loopOf, packed } from '../../recurrent_packing.ts';
import { runInputs, type RunSize } from '../../recurrent_run.ts';
import { f32, roundingSample, sample, type Sample } from '../sample.ts';
import { packedPrecisions } from './shared/packed_precisions.ts';
import { sampledCells, sizeName } from './shared/recurrent.ts';

/** The weights of each cell for both passes, at a size that is no multiple of 4 and at one that is. */
const float32Samples: readonly Sample[] = sampledCells.flatMap((cell, c) =>
  [5, 8].flatMap((hidden) => {
    const pseudoLayers = c % 2 === 0 ? 1 : 2;
    const size: RunSize = { cell, steps: 1, batch: 1, hidden, bias: true, pseudoLayers, masked: c % 3 === 0 };
    const stackable = cell.dropsRecurrent ? [] : [{ ...size, pseudoLayers: 3, wavefront: true }];
    return [size, ...stackable].flatMap((own) => {
      const matrices = runInputs(own).filter(({ name }) => /^weight_(h[hr]|ih)/.test(name));
      if (matrices.length === 0) return [];
      const inputs = matrices.map(({ shape }) => f32(shape));
      return [
        sample(sizeName(own), inputs, (...values) =>
          [false, true].flatMap((backward) => packed(loopOf(own), values, backward)),
        ),
      ];
    });
  }),
);

/** The same weights rounded. */
const roundedSamples: readonly Sample[] = sampledCells.flatMap((cell, c) => {
  const pseudoLayers = c % 2 === 0 ? 2 : 1;
  const size: RunSize = {
    cell,
    steps: 1,
    batch: 1,
    hidden: 5 + (c % 4),
    bias: true,
    pseudoLayers,
    masked: false,
  };
  const matrices = runInputs(size).filter(({ name }) => /^weight_h[hr]/.test(name));
  if (matrices.length === 0) return [];
  return packedPrecisions.map((precision) =>
    roundingSample(
      `${cell.name}, ${precision}`,
      matrices.map(({ shape }) => f32(shape)),
      (...values) =>
        (precision === 'f16' ? [false, true] : [false]).flatMap((backward) =>
          packed(loopOf(size), values, backward, precision),
        ),
    ),
  );
});

export const samples: readonly Sample[] = [...float32Samples, ...roundedSamples];
