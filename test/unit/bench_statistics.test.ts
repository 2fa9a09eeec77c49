import { expect, test } from 'vitest';

import { summarize } from '../../bench/statistics.ts';

test('median and quartiles, between neighbours in proportion', () => {
  expect(summarize([5])).toEqual({ median: 5, low: 5, high: 5, samples: 1 });
  expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1.75, high: 3.25, samples: 4 });
  expect(summarize([10, 9, 1, 2, 5])).toEqual({ median: 5, low: 2, high: 9, samples: 5 });
});

test('samples are sorted as numbers, and none is an error', () => {
  expect(summarize([100, 20, 3]).median).toBe(20);
  expect(() => summarize([])).toThrow('no samples');
});
