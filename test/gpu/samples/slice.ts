import { slice } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

export const samples: readonly Sample[] = [
  sample('the front', [f32([7, 3])], (x) => slice(x, 0, 0, 1)),
  sample('the back', [f32([7, 3])], (x) => slice(x, 0, -2)),
  sample('columns', [f32([7, 5])], (x) => slice(x, 1, 1, 4)),
  sample('a part of a part', [f32([9, 9])], (x) => slice(slice(slice(x, 0, 1), 1, 2), 0, 3, 5)),
];
