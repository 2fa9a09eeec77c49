// Three stacked layers of a kind, for tests of wavefronts.
import { GRU, LSTM, RNN, type Layer, type RecurrentOptions } from '../src/index.ts';

export const STEPS = 6;
export const BATCH = 3;
export const INPUTS = 5;
export const HIDDEN = 7;

const kinds = {
  RNN: (options: RecurrentOptions) => new RNN(options),
  LSTM: (options: RecurrentOptions) => new LSTM(options),
  GRU: (options: RecurrentOptions) => new GRU(options),
} as const;
type Kind = keyof typeof kinds;
export const kindNames = Object.keys(kinds) as Kind[];

export const stackedLayer = (kind: Kind, options: Partial<RecurrentOptions> = {}): Layer =>
  kinds[kind]({ inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 3, ...options });
