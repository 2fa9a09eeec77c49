// The demo's figures, as they are read on the page.
import { expect, test } from 'vitest';

import { duration, timesRead } from '../../demo/format.ts';

test.each([
  [0, '0.0 %'],
  [0.4532, '45.3 %'],
  [1, '1.0 times'],
  [21.178, '21.2 times'],
])('a text of which a share of %d was read', (share, words) => {
  expect(timesRead(share)).toBe(words);
});

test.each([
  [61.9, '1:01'],
  [3661, '1:01:01'],
])('%d seconds', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});
