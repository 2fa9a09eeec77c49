// Segments of time: how a long sequence is cut.
import { describe, expect, test } from 'vitest';

import { SEGMENT_BYTES, segmentSizes } from '../../src/nn/segments.ts';

describe('segments of time', () => {
  test('cover all steps, none empty, mirrored for two directions', () => {
    for (const directions of [1, 2]) {
      for (let steps = 1; steps < 40; steps++) {
        for (const perStep of [1, SEGMENT_BYTES / 7, SEGMENT_BYTES / 3.5, SEGMENT_BYTES, 3 * SEGMENT_BYTES]) {
          const sizes = segmentSizes(steps, directions, perStep);
          expect(sizes.reduce((a, b) => a + b, 0)).toBe(steps);
          expect(Math.min(...sizes)).toBeGreaterThan(0);
          expect(directions === 1 || sizes.toReversed().join() === sizes.join()).toBe(true);
        }
      }
    }
  });

  test('what fits is one segment, what does not is several of at most the limit', () => {
    expect(segmentSizes(100, 1, SEGMENT_BYTES / 100)).toEqual([100]);
    expect(segmentSizes(100, 1, SEGMENT_BYTES / 25)).toEqual([25, 25, 25, 25]);
  });
});
