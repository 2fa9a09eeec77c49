// Stacks of cells with a projection or layer normalisation: a step of these takes more than one product and one update.
import { gruLayerNorm, LSTM, lstmLayerNorm, Recurrent, Sequential, type Layer } from '../src/index.ts';

export const INPUTS = 4;

export const streamStacks = {
  'LSTM with a projection': (hiddenSize: number): Layer =>
    new LSTM({ inputSize: INPUTS, hiddenSize, projSize: hiddenSize / 2, numLayers: 2 }),
  'layer-normalised LSTM': (hiddenSize: number): Layer =>
    new Recurrent('LSTM', lstmLayerNorm, { inputSize: INPUTS, hiddenSize, numLayers: 2 }),
  'layer-normalised GRU, then a projected LSTM': (hiddenSize: number): Layer =>
    new Sequential([
      new Recurrent('GRU', gruLayerNorm, { inputSize: INPUTS, hiddenSize, numLayers: 2 }),
      new LSTM({ inputSize: hiddenSize, hiddenSize, projSize: hiddenSize / 2, numLayers: 2 }),
    ]),
} as const;
