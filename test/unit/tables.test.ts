// The generated tables of the documentation are up to date.
import { expect, test } from 'vitest';

import { documents, withTables } from '../tables.ts';

test.each(documents)('%s has current tables (else: npm run tables)', (document) => {
  const { before, after } = withTables(document);
  expect(before).toBe(after);
});

test('a document has a table for each marker', () => {
  const { after } = withTables('ARCHITECTURE.md');
  expect(after).toMatch(/\| `matmul` \|/);
  expect(after).toMatch(/\| `lstm` \| i f g o \| h c \| – \| 1, 1 \| 24 \|/);
});
