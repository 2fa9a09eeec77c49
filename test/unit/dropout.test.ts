// What dropout refuses.
import { describe, expect, test } from 'vitest';

import { Dropout, dropout, dropoutMask, Noise, Value } from '../../src/index.ts';
import { failure } from '../failure.ts';

describe('mistakes', () => {
  const x = new Value({ shape: [3], dtype: 'f32' });
  const seed = new Value({ shape: [2], dtype: 'i32' });

  test.each([-0.1, 1.0001, NaN, Infinity, '0.5' as unknown as number])('p = %s', (p) => {
    const said = `p must be a number from 0 to 1, got ${typeof p === 'string' ? `"${p}"` : p}`;
    expect(() => dropout(x, p, new Noise(seed))).toThrow(failure('argument', `dropout: ${said}`));
    expect(() => dropoutMask([3], p, seed, 0)).toThrow(failure('argument', `dropout: ${said}`));
    expect(() => new Dropout({ p })).toThrow(failure('argument', `Dropout: ${said}`));
  });

  test('an input or a seed of the wrong kind', () => {
    const index = new Value({ shape: [3], dtype: 'i32' });
    expect(() => dropout(index, 0.5, new Noise(seed))).toThrow(
      failure('dtype', 'dropout: input: expected f32'),
    );
    expect(() => new Dropout().forward(index, {})).toThrow(failure('dtype', 'Dropout: input: expected f32'));
    expect(() => dropout(x, 0.5, new Noise(x))).toThrow(failure('dtype', 'dropout: seed: expected i32'));
    expect(() => dropout(x, 0.5, new Noise(index))).toThrow(
      failure('shape', 'dropout: seed: expected shape [2], got [3]'),
    );
  });
});
