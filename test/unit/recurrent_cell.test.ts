// What single cells refuse.
import { describe, expect, test } from 'vitest';

import { GRUCell, LSTMCell, Value } from '../../src/index.ts';

const sizes = { inputSize: 2, hiddenSize: 5 };
describe('errors', () => {
  const cell = new LSTMCell(sizes);
  const value = (...shape: number[]): Value => new Value({ shape, dtype: 'f32' });
  const parameters = Object.fromEntries(cell.parameters.map(({ name, shape }) => [name, value(...shape)]));
  test.each<[string, () => unknown, RegExp]>([
    [
      'a sequence',
      () => cell.forward(value(4, 3, 2), parameters),
      /LSTMCell: expected input \(B, 2\), or \(2\) without a batch, got \[4, 3, 2\]/,
    ],
    [
      'a wrong width',
      () => cell.forward(value(3, 4), parameters),
      /LSTMCell: expected input \(B, 2\), or \(2\) without a batch, got \[3, 4\]/,
    ],
    [
      'a state with the axes of a layer',
      () => cell.forward(value(3, 2), parameters, { h: value(1, 3, 5) }),
      /LSTMCell: state "h": expected shape \[3, 5\], got \[1, 3, 5\]/,
    ],
    [
      'an unknown state',
      () => cell.forward(value(3, 2), parameters, { z: value(3, 5) }),
      /LSTMCell: no state "z"; expected \["h", "c"\]/,
    ],
    [
      'an option of layers',
      () => new LSTMCell({ ...sizes, numLayers: 2 } as typeof sizes),
      /LSTMCell: option "numLayers" is unknown; expected inputSize, hiddenSize, bias/,
    ],
    [
      'hiddenSize 0',
      () => new GRUCell({ ...sizes, hiddenSize: 0 }),
      /GRUCell: hiddenSize must be .* at least 1, got 0/,
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(message);
  });
});
