import { expect, test } from 'vitest';

import { isTied, summarize, together } from '../../bench/statistics.ts';

test('the median, and the least and the greatest', () => {
  expect(summarize([5])).toEqual({ median: 5, low: 5, high: 5, samples: 1 });
  expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1, high: 4, samples: 4 });
  expect(summarize([10, 9, 1, 2, 5])).toEqual({ median: 5, low: 1, high: 10, samples: 5 });
});

test('passes together have the median of their medians, and all of their samples between', () => {
  const passes = [
    [4, 5],
    [1, 2, 9],
    [3, 3, 3],
  ].map((samples) => summarize(samples));
  expect(together(passes)).toEqual({ median: 3, low: 1, high: 9, samples: 8 });
});

test('who shares a number with another is not told apart from it, nor is a single sample', () => {
  const [low, high, between] = [
    [1, 2],
    [3, 4],
    [2, 3],
  ].map((samples) => summarize(samples));
  expect(isTied(low, high)).toBe(false);
  expect(isTied(high, low)).toBe(false);
  expect([isTied(low, between), isTied(between, high), isTied(low, low)]).toEqual([true, true, true]);
  expect(isTied(low, summarize([9]))).toBe(true);
});

test('samples are sorted as numbers, and none is an error', () => {
  expect(summarize([100, 20, 3]).median).toBe(20);
  expect(() => summarize([])).toThrow('no samples');
});
