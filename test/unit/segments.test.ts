// The segments of a long sequence.
import { describe, expect, test } from 'vitest';

import { segmentSizes } from '../../src/ops/segments.ts';

const BYTES = 64 * 2 ** 20;
const limits = { bytes: BYTES };

describe('segments of time', () => {
  test('cover all steps, are not empty, and are mirrored for two directions', () => {
    for (const directions of [1, 2]) {
      for (let steps = 1; steps < 40; steps++) {
        for (const perStep of [1, BYTES / 7, BYTES / 3.5, BYTES, 3 * BYTES]) {
          const sizes = segmentSizes(steps, directions, perStep, limits);
          expect(sizes.reduce((a, b) => a + b, 0)).toBe(steps);
          expect(Math.min(...sizes)).toBeGreaterThan(0);
          expect(directions === 1 || sizes.toReversed().join() === sizes.join()).toBe(true);
        }
      }
    }
  });

  test('are one where the reserve space fits, else several within the limit', () => {
    expect(segmentSizes(100, 1, BYTES / 100, limits)).toEqual([100]);
    expect(segmentSizes(100, 1, BYTES / 25, limits)).toEqual([25, 25, 25, 25]);
  });
});
