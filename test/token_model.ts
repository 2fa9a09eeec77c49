// A model of tokens, and sequences that it can learn.
import { Embedding, GRU, Linear, LSTM, Random, RNN, Sequential, type Layer } from '../src/index.ts';

const cells = { RNN, LSTM, GRU };
export type CellName = keyof typeof cells;
export const cellNames = Object.keys(cells) as CellName[];

export const TOKENS = 5;

export const tokenModel = (cell: CellName): Layer =>
  new Sequential([
    new Embedding({ numEmbeddings: TOKENS, embeddingDim: 3 }),
    new cells[cell]({ inputSize: 3, hiddenSize: 7, numLayers: 2 }),
    new Linear({ inputSize: 7, outputSize: TOKENS }),
  ]);

/** Batches (T, B) of sequences that count up from a random token, and their next tokens. */
export function countingBatches(count: number, steps = 6, batch = 4): { x: number[][]; y: number[][] }[] {
  const random = new Random(7);
  return Array.from({ length: count }, () => {
    const starts = Array.from({ length: batch }, () => Math.floor(random.uniform(0, TOKENS)));
    const at = (shift: number): number[][] =>
      Array.from({ length: steps }, (_, t) => starts.map((start) => (start + t + shift) % TOKENS));
    return { x: at(0), y: at(1) };
  });
}
