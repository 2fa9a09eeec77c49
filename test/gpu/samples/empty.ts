import { gru } from '../../../src/cells/gru.ts';
import { tanh } from '../../../src/expr/arith.ts';
import { recurrent } from '../../../src/ops/recurrent_sequence.ts';
import { concat, empty, slice } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  sample('behind what is read', [f32([3, 5])], (x) => slice(concat([tanh(x), empty([3, 2])], 1), 1, 0, 5)),
  sample(
    'as room for the apart slots of a cell',
    [f32([2, 3, 9]), f32([9, 3]), f32([1, 3, 3])],
    (x, w, h) => {
      return recurrent(gru, x, w, h).output;
    },
  ),
];
