// Kinds of options, and tables of them: defaults, errors and types.
import { describe, expect, test } from 'vitest';

import {
  flag,
  nonNegative,
  oneOf,
  optional,
  positive,
  probability,
  readOption,
  readOptions,
  seed,
  size,
  unchecked,
  wholeNumber,
  withMethods,
  type Option,
} from '../../src/core/options.ts';

const failure = (code: string, message: string): Error =>
  expect.objectContaining({ name: 'GatewiseError', code, message }) as Error;

interface Given {
  readonly width: number;
  readonly bias?: boolean;
  readonly mode?: 'a' | 'b' | undefined;
}
const TABLE = { width: size(), bias: flag(true), mode: optional(oneOf(['a', 'b'])) };
const read = (given: unknown, others?: readonly string[]): object =>
  readOptions('layer', TABLE, given as Given, others);

describe('a table', () => {
  test('fills in absent and undefined options, and keeps the others', () => {
    expect(read({ width: 2 })).toEqual({ width: 2, bias: true, mode: undefined });
    expect(read({ width: 2, bias: undefined, mode: 'b' })).toEqual({ width: 2, bias: true, mode: 'b' });
    expect(read({ width: 2, bias: false })).toEqual({ width: 2, bias: false, mode: undefined });
  });

  test('has the type of the options that it accepts', () => {
    const { width, mode } = readOptions('layer', TABLE, { width: 3 } as Given);
    expect([width satisfies number, mode satisfies 'a' | 'b' | undefined]).toEqual([3, undefined]);
    // @ts-expect-error a table without a row for `mode`
    readOptions('layer', { width: size(), bias: flag(true) }, { width: 3 } as Given);
  });

  test('refuses options that are not an object, misspelt, missing or null', () => {
    for (const [given, got] of [
      [null, 'null'],
      [3, '3'],
      [[1], '[1]'],
      [undefined, 'nothing'],
    ] as const)
      expect(() => read(given)).toThrow(
        failure('argument', `layer: expected options { width, bias, mode }, got ${got}`),
      );
    expect(() => read({ width: 1, wdth: 1 })).toThrow(
      failure('unsupported', 'layer: option "wdth" is unknown; expected width, bias, mode'),
    );
    expect(() => read({})).toThrow(
      failure('argument', 'layer: width must be a whole number of at least 1, got nothing'),
    );
    expect(() => read({ width: 1, bias: null })).toThrow(
      failure('argument', 'layer: bias must be true or false, got null'),
    );
    expect(() => read({ width: 1, mode: 'c' })).toThrow(
      failure('argument', 'layer: mode must be "a" or "b", got "c"'),
    );
  });

  test('ignores options that the caller reads itself', () => {
    expect(read({ width: 1, own: 5 }, ['own'])).toEqual({ width: 1, bias: true, mode: undefined });
    expect(() => read({ width: 1, other: 5 }, ['own'])).toThrow(
      failure('unsupported', 'layer: option "other" is unknown; expected width, bias, mode, own'),
    );
  });
});

class Store {
  getItem(): void {}
}

test.each<
  [string, Option<unknown>, accepted: readonly unknown[], refused: readonly unknown[], expected: string]
>([
  ['flag', flag(), [true, false], [1, 'no', null, undefined], 'true or false'],
  ['oneOf', oneOf([true, false, 'auto']), [true, 'auto'], ['on', 1, undefined], 'true, false or "auto"'],
  ['size', size(), [1, 7], [0, 1.5, NaN, Infinity, '1', undefined], 'a whole number of at least 1'],
  ['wholeNumber', wholeNumber(0), [0, 7], [-1, 0.5, '1', [1]], 'a whole number of at least 0'],
  ['seed', seed(), [0, 2 ** 53 - 1], [-1, 2 ** 53, 0.5, '0'], 'a whole number from 0 to 2^53 - 1'],
  ['probability', probability(), [0, 0.5, 1], [-0.1, 1.1, NaN, '0', null], 'a number from 0 to 1'],
  [
    'positive',
    positive(),
    [1e-9, 3e38],
    [0, -1, NaN, 1e39, '1', true],
    'a number above 0 and finite in float32',
  ],
  [
    'nonNegative',
    nonNegative(),
    [0, 3e38],
    [-1, NaN, Infinity, '0'],
    'a number of at least 0 and finite in float32',
  ],
  [
    'withMethods',
    withMethods<Store>('a store', 'getItem'),
    [new Store()],
    [Store, {}, null, undefined],
    'a store',
  ],
])('%s', (_, kind, accepted, refused, expected) => {
  for (const value of accepted) expect(readOption('f', 'x', kind, value)).toBe(value);
  for (const value of refused)
    expect(() => readOption('f', 'x', kind, value)).toThrow(`f: x must be ${expected}, got `);
});

test('optional also accepts undefined; unchecked accepts everything', () => {
  expect(readOption('f', 'x', optional(size()), undefined)).toBe(undefined);
  expect(() => readOption('f', 'x', optional(size()), null)).toThrow(
    failure('argument', 'f: x must be a whole number of at least 1, got null'),
  );
  expect(readOption('f', 'x', unchecked(), null)).toBe(null);
  expect(readOption('f', 'x', unchecked(4), undefined)).toBe(4);
});
