// The net that steers: a GRU with the senses of all particles as its batch, and a linear layer from its memory to the action.
import { GRU, Linear, Sequential } from '../../src/index.ts';
import { ACTIONS, SENSES } from './world.ts';

const MEMORY = 16;

export const controller = (): Sequential =>
  new Sequential([
    new GRU({ inputSize: SENSES, hiddenSize: MEMORY }),
    new Linear({ inputSize: MEMORY, outputSize: ACTIONS }),
  ]);

/** What `train.ts` has made: a file in Node, an asset in the page. */
export const WEIGHTS_URL = new URL('./controller.safetensors', import.meta.url);
