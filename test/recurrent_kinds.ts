// PyTorch's recurrent layers, with their numbers of gates and their states.
import { GRU, LSTM, RNN, type Recurrent, type RecurrentOptions } from '../src/index.ts';

export const recurrentKinds = {
  RNN: { make: (options: RecurrentOptions): Recurrent => new RNN(options), gates: 1, states: ['h'] },
  LSTM: { make: (options: RecurrentOptions): Recurrent => new LSTM(options), gates: 4, states: ['h', 'c'] },
  GRU: { make: (options: RecurrentOptions): Recurrent => new GRU(options), gates: 3, states: ['h'] },
} as const;
export const kindNames = ['RNN', 'LSTM', 'GRU'] as const;
