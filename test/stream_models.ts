// Models that stream, and what goes in and out of a stream.
import {
  GRU,
  GRUCell,
  Linear,
  LSTM,
  LSTMCell,
  Random,
  RNNCell,
  Sequential,
  type Layer,
  type Stream,
} from '../src/index.ts';

export const BATCH = 3;
export const INPUTS = 4;
export const HIDDEN = 5;

export const streamModels = {
  LSTM: (): Layer => new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 2 }),
  'GRU, batchFirst': (): Layer => new GRU({ inputSize: INPUTS, hiddenSize: HIDDEN, batchFirst: true }),
  Sequential: (): Layer =>
    new Sequential([
      new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN }),
      new GRU({ inputSize: HIDDEN, hiddenSize: 2 }),
      new Linear({ inputSize: 2, outputSize: 3 }),
    ]),
  LSTMCell: (): Layer => new LSTMCell({ inputSize: INPUTS, hiddenSize: HIDDEN }),
  'a Sequential of cells': (): Layer =>
    new Sequential([
      new Linear({ inputSize: INPUTS, outputSize: 3 }),
      new GRUCell({ inputSize: 3, hiddenSize: HIDDEN }),
      new RNNCell({ inputSize: HIDDEN, hiddenSize: 2 }),
    ]),
} as const;

/** Standard normal steps (B, I), the same for the same seed. */
export function drawSteps(seed: number, count: number): number[][][] {
  const random = new Random(seed, 7);
  const list = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);
  return list(count, () => list(BATCH, () => list(INPUTS, () => random.normal())));
}

/** Pushes all steps. Returns the output of the last, a list for each row. */
export async function pushAll(stream: Stream, steps: readonly number[][][]): Promise<number[][]> {
  const outputs = steps.map((step) => stream.push(step));
  const last = outputs[outputs.length - 1];
  const [data, width] = [Array.from(await last.read()), last.shape[1]];
  return Array.from({ length: last.shape[0] }, (_, row) => data.slice(row * width, (row + 1) * width));
}

/** The states of a stream by name. */
export async function readStates(stream: Stream): Promise<Record<string, number[]>> {
  const states = Object.entries(stream.states());
  const read = states.map(async ([name, state]) => [name, Array.from(await state.read())] as const);
  return Object.fromEntries(await Promise.all(read));
}
