// Half precision, bit by bit, against known patterns and against every f16.
import { expect, test } from 'vitest';

import { halfBits, halfToNumber } from '../../src/core/half.ts';

test.each([
  ['0', 0, 0x0000],
  ['-0', -0, 0x8000],
  ['1', 1, 0x3c00],
  ['-2', -2, 0xc000],
  ['a third', 1 / 3, 0x3555],
  ['pi', Math.PI, 0x4248],
  ['the largest', 65504, 0x7bff],
  ['the smallest that is normal', 2 ** -14, 0x0400],
  ['the largest subnormal', 1023 * 2 ** -24, 0x03ff],
  ['the smallest subnormal', 2 ** -24, 0x0001],
  ['half of that, a tie with 0', 2 ** -25, 0x0000],
  ['a little more than that', 2 ** -25 * (1 + 2 ** -20), 0x0001],
  ['one and a half of the smallest, a tie to even', 1.5 * 2 ** -24, 0x0002],
  ['what rounds up from the subnormals', 1023.75 * 2 ** -24, 0x0400],
  ['a tie above 1, down to even', 1 + 2 ** -11, 0x3c00],
  ['a tie above that, up to even', 1 + 3 * 2 ** -11, 0x3c02],
  ['what carries into the exponent', 2 - 2 ** -12, 0x4000],
  ['what is a float32 subnormal', 1e-40, 0x0000],
  ['a tie past the largest', 65520, 0x7bff],
  ['what is far past the largest', -1e9, 0xfbff],
  ['infinity', -Infinity, 0xfc00],
  ['NaN', NaN, 0x7e00],
])('%s', (_, x, bits) => {
  expect(halfBits(x).toString(16)).toBe(bits.toString(16));
});

test('every f16 stays itself; other numbers round to the nearest, ties to even', () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 0x7c00; bits++) {
    const x = halfToNumber(bits);
    const step = halfToNumber(bits + 1) - x;
    // The largest has no next neighbour.
    const parts = Number.isFinite(step) ? [0.25, 0.5, 0.75] : [];
    const got = [halfBits(x), halfBits(-x), ...parts.map((part) => halfBits(x + part * step))];
    const between = parts.length > 0 ? [bits, bits % 2 === 0 ? bits : bits + 1, bits + 1] : [];
    if (got.join() !== [bits, bits | 0x8000, ...between].join()) wrong.push(bits);
  }
  expect(wrong).toEqual([]);
  expect([halfToNumber(0x7c00), halfToNumber(0xfc00), halfToNumber(0x7e01)]).toEqual([
    Infinity,
    -Infinity,
    NaN,
  ]);
});
