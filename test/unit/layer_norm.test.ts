// The parameters of LayerNorm, and what it refuses.
import { describe, expect, test } from 'vitest';

import { LayerNorm, Value, type Shape } from '../../src/index.ts';
import { failure } from '../failure.ts';

describe('the layer', () => {
  test('has the parameters of PyTorch', () => {
    const named = (layer: LayerNorm): unknown[] =>
      layer.parameters.map(({ name, shape }) => [name, ...shape]);
    expect(named(new LayerNorm({ normalizedShape: 5 }))).toEqual([
      ['weight', 5],
      ['bias', 5],
    ]);
    expect(named(new LayerNorm({ normalizedShape: [2, 3] }))).toEqual([
      ['weight', 2, 3],
      ['bias', 2, 3],
    ]);
    expect(named(new LayerNorm({ normalizedShape: 5, bias: false }))).toEqual([['weight', 5]]);
    expect(named(new LayerNorm({ normalizedShape: 5, elementwiseAffine: false }))).toEqual([]);
    expect(new LayerNorm({ normalizedShape: 5 }).eps).toBe(1e-5);
  });

  test('refuses a wrong shape, eps, option or input', () => {
    for (const shape of [0, 1.5, NaN, [2, 0]])
      expect(() => new LayerNorm({ normalizedShape: shape })).toThrow(
        failure('argument', 'LayerNorm: normalizedShape must be a whole number of at least 1'),
      );
    for (const shape of [[], undefined as unknown as number])
      expect(() => new LayerNorm({ normalizedShape: shape })).toThrow(
        failure('argument', 'LayerNorm: normalizedShape must be a size or a list of at least one'),
      );
    for (const eps of [-1, NaN, Infinity])
      expect(() => new LayerNorm({ normalizedShape: 5, eps })).toThrow(
        failure('argument', 'LayerNorm: eps must be a number'),
      );
    expect(() => new LayerNorm({ normalizedShape: 5, ...({ epsilon: 1 } as object) })).toThrow(
      failure('unsupported', '"epsilon"'),
    );
    const input = (shape: Shape, dtype: 'f32' | 'i32' = 'f32') => new Value({ shape, dtype });
    const forward = (x: Value) => () => new LayerNorm({ normalizedShape: [2, 3] }).forward(x, {});
    for (const shape of [[3], [4, 3], [2, 3, 1]])
      expect(forward(input(shape))).toThrow(failure('shape', 'LayerNorm: expected input (…, 2, 3), got ['));
    expect(forward(input([2, 3], 'i32'))).toThrow(
      failure('dtype', 'LayerNorm: input: expected f32, got i32'),
    );
    expect(forward(input([2, 3]))).toThrow(failure('argument', 'LayerNorm: no parameter "weight"'));
  });
});
