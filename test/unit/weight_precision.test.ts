// The rounding of weights to int8 and f16, and the order of packed words.
import { describe, expect, test } from 'vitest';

import { halfBits } from '../../src/core/half.ts';
import { Random } from '../../src/core/random.ts';
import { denseView } from '../../src/core/view.ts';
import { roundedMatrix } from '../../src/backend/cpu/kernels/fake_quantize.ts';
import { storeQuad } from '../../src/backend/cpu/kernels/pack.ts';
import { int8Of } from '../../src/ops/weight_precision.ts';

const operand = (rows: readonly (readonly number[])[]) => ({
  data: Float32Array.from(rows.flat()),
  view: denseView([rows.length, rows[0].length]),
});

describe('int8', () => {
  test.each([
    ['the largest', 2, 2, 127],
    ['its negative', -2, 2, -127],
    ['0', 0, 2, 0],
    ['a number of the grid', 5, 127, 5],
    ['a tie, away from 0', 2.5, 127, 3],
    ['the same below 0', -2.5, 127, -3],
    ['just under a tie', 2.4999998, 127, 2],
    ['anything in a row of zeros', 0, 0, 0],
    ['what a device may flush to zero', 1e-39, 1e-39, 0],
    ['anything in a row with NaN', 1, NaN, 0],
  ])('%s', (_, x, largest, q) => {
    // toEqual treats -0 as 0.
    expect([int8Of(x, largest)]).toEqual([q]);
  });

  test('is the nearest of 127 parts of the largest, whatever the magnitudes', () => {
    const random = new Random(3);
    const wrong: string[] = [];
    for (let i = 0; i < 20000; i++) {
      const largest = Math.fround(random.uniform(0, 1) * 10 ** random.uniform(-20, 20));
      const x = Math.fround(random.uniform(-1, 1) * largest);
      const exact = (x / largest) * 127;
      if (Math.abs(int8Of(x, largest) - exact) > 0.5 + 1e-5) wrong.push(`${x} of ${largest}`);
    }
    expect(wrong).toEqual([]);
  });

  test('a row is scaled by its own largest magnitude, and a row of zeros stays zero', () => {
    const { data } = roundedMatrix(
      'int8',
      operand([
        [1, -0.5, 0.25],
        [0, 0, 0],
        [-100, 1, 0.3],
      ]),
    );
    const expected = [1, -64 / 127, 32 / 127, 0, 0, 0, -100, 100 / 127, 0];
    expected.forEach((x, i) => expect(data[i]).toBeCloseTo(x, 12));
  });

  test('a NaN or infinite weight affects its row only', () => {
    const { data } = roundedMatrix(
      'int8',
      operand([
        [1, NaN],
        [1, 2],
      ]),
    );
    expect(Array.from(data, Number.isNaN)).toEqual([true, true, false, false]);
  });
});

test('the first of four weights is in the lowest bits of a word', () => {
  const stored = (precision: 'f16' | 'int8'): number[] => {
    const data = new Int32Array(4);
    storeQuad(precision, { data, view: denseView([4], 0) }, 1, [1, -2, 0.5, -127], 127);
    return Array.from(data, (word) => word >>> 0);
  };
  expect(stored('int8')).toEqual([0, 0x8101fe01, 0, 0]);
  const [a, b, c, d] = [1, -2, 0.5, -127].map(halfBits);
  expect(stored('f16')).toEqual([0, 0, (a | (b << 16)) >>> 0, (c | (d << 16)) >>> 0]);
});
