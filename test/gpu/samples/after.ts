import { grad } from '../../../src/train/grad.ts';
import { sample, type Sample } from '../sample.ts';
import { checkpointed, checkpointInputs } from './shared/checkpointed.ts';

export const samples: readonly Sample[] = [
  sample('gradients of two layers', checkpointInputs, (...inputs) => grad(checkpointed(true))(inputs)),
];
