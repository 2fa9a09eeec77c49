// The generator against its authors' test vectors, and distributions against their moments.
import { describe, expect, test } from 'vitest';

import { philox, Random, unitUniform } from '../../src/core/random.ts';

const hex = (words: readonly number[]): string =>
  words.map((word) => word.toString(16).padStart(8, '0')).join(' ');

// From kat_vectors of the Random123 library: philox4x32 with 10 rounds.
test.each([
  [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    '408f276d 41c83b0e a20bc7c6 6d5451fd',
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    'd16cfe09 94fdcceb 5001e420 24126ea1',
  ],
] as const)('philox4x32-10 of %o under %o', (counter, key, expected) => {
  expect(hex(philox(counter, key))).toBe(expected);
});

test('a word becomes a float32 in [0, 1)', () => {
  expect([0, 0xff, 0x100, 0x80000000, 0xffffffff].map(unitUniform)).toEqual([
    0,
    0,
    2 ** -24,
    0.5,
    1 - 2 ** -24,
  ]);
  for (const word of [0x12345678, 0xfedcba98, 0xffffffff])
    expect(Math.fround(unitUniform(word))).toBe(unitUniform(word));
});

describe('Random', () => {
  const draw = (random: Random, count: number): number[] =>
    Array.from({ length: count }, () => random.uniform());

  test('gives the same numbers for the same seed and stream, and other numbers for others', () => {
    const first = draw(new Random(7, 2), 100);
    expect(draw(new Random(7, 2), 100)).toEqual(first);
    const others = [new Random(8, 2), new Random(7, 3), new Random(7 + 2 ** 32, 2)];
    for (const other of others) expect(draw(other, 100).filter((x, i) => x === first[i])).toEqual([]);
  });

  test('can start at any counter, which stands for four numbers', () => {
    const all = draw(new Random(7, 2), 40);
    expect(draw(new Random(7, 2, 3), 28)).toEqual(all.slice(12));
  });

  /** Mean, variance, skewness and excess kurtosis. */
  function moments(list: readonly number[]): number[] {
    const mean = list.reduce((a, b) => a + b, 0) / list.length;
    const central = (power: number): number =>
      list.reduce((sum, x) => sum + (x - mean) ** power, 0) / list.length;
    const variance = central(2);
    return [mean, variance, central(3) / variance ** 1.5, central(4) / variance ** 2 - 3];
  }

  test('uniform: within its bounds, with the histogram and moments of a uniform distribution', () => {
    const random = new Random(3);
    const list = Array.from({ length: 100_000 }, () => random.uniform(-2, 4));
    expect(list.every((x) => x >= -2 && x < 4)).toBe(true);
    const [mean, variance, skewness, kurtosis] = moments(list);
    expect(mean).toBeCloseTo(1, 1);
    expect(variance).toBeCloseTo(3, 1);
    expect(skewness).toBeCloseTo(0, 1);
    expect(kurtosis).toBeCloseTo(-1.2, 1);
    const bins = Array.from({ length: 20 }, () => 0);
    for (const x of list) bins[Math.floor(((x + 2) / 6) * 20)]++;
    const chiSquared = bins.reduce((sum, n) => sum + (n - 5000) ** 2 / 5000, 0);
    // χ² with 19 degrees of freedom exceeds 43.8 for one seed in a thousand.
    expect(chiSquared).toBeLessThan(43.8);
  });

  test('neighbours are not correlated', () => {
    const list = draw(new Random(5), 50_001);
    const products = list.slice(1).map((x, i) => (x - 0.5) * (list[i] - 0.5) * 12);
    expect(Math.abs(products.reduce((a, b) => a + b, 0) / products.length)).toBeLessThan(0.015);
  });

  test('normal: finite, with the moments of a normal distribution', () => {
    const random = new Random(4);
    const list = Array.from({ length: 100_000 }, () => random.normal());
    expect(list.every(Number.isFinite)).toBe(true);
    const [mean, variance, skewness, kurtosis] = moments(list);
    expect(mean).toBeCloseTo(0, 1);
    expect(variance).toBeCloseTo(1, 1);
    expect(skewness).toBeCloseTo(0, 1);
    expect(kurtosis).toBeCloseTo(0, 1);
    const within = list.filter((x) => Math.abs(x) < 1).length / list.length;
    expect(within).toBeCloseTo(0.6827, 2);
  });

  test('integer: every number below n and no others', () => {
    const random = new Random(6);
    const list = Array.from({ length: 700 }, () => random.integer(7));
    expect([...new Set(list)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});
