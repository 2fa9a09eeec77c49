// The character model: an embedding, a stack of recurrent layers, and a linear layer to one score per character.
import { Embedding, GRU, Linear, LSTM, RNN, Sequential } from '../src/index.ts';
import type { Settings } from './settings.ts';

const LAYERS = { lstm: LSTM, gru: GRU, rnn: RNN };

export type ModelSettings = Pick<Settings, 'cell' | 'hidden' | 'layers' | 'embedding'>;

/** @param vocabulary how many characters there are. */
export function buildModel(
  { cell, hidden, layers, embedding }: ModelSettings,
  vocabulary: number,
): Sequential {
  return new Sequential([
    new Embedding({ numEmbeddings: vocabulary, embeddingDim: embedding }),
    new LAYERS[cell]({ inputSize: embedding, hiddenSize: hidden, numLayers: layers }),
    new Linear({ inputSize: hidden, outputSize: vocabulary }),
  ]);
}
