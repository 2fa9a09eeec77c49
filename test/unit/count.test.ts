// The last line of `npm test` must include everything that went wrong.
import { expect, test } from 'vitest';

import { countReport } from '../setup/count.mjs';

const none = {
  numTotalTests: 0,
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
};
const green = { ...none, numTotalTests: 5, numPassedTests: 2, numPendingTests: 1, numTodoTests: 2 };

test('counts what passed, failed and was skipped', () => {
  expect(countReport('unit', green, 0, false)).toEqual({ passed: 2, failed: 0, skipped: 3, problems: [] });
  const red = {
    ...green,
    numFailedTests: 2,
    testResults: [{ name: 'a.test.ts', status: 'failed', assertionResults: [{ status: 'failed' }] }],
  };
  expect(countReport('unit', red, 1, false)).toEqual({ passed: 2, failed: 2, skipped: 3, problems: [] });
});

test('a project that ran no test has failed, unless no file of it was asked for', () => {
  expect(countReport('node', none, 1, false)).toMatchObject({
    failed: 1,
    problems: [expect.stringMatching(/^node: ran no test/)],
  });
  expect(countReport('node', none, 0, false)).toMatchObject({ failed: 1 });
  expect(countReport('node', none, 0, true)).toMatchObject({ failed: 0, problems: [] });
  expect(countReport('node', none, 1, true)).toMatchObject({ failed: 1 });
});

test('a file that fails to load has failed', () => {
  const broken = { ...green, testResults: [{ name: 'b.test.ts', status: 'failed', assertionResults: [] }] };
  expect(countReport('unit', broken, 1, false)).toMatchObject({ passed: 2, failed: 1 });
});

test('an error outside the tests, a crash and a timeout count as failures', () => {
  expect(countReport('unit', green, 1, false)).toMatchObject({ passed: 2, failed: 1 });
  expect(countReport('unit', green, null, false)).toMatchObject({ passed: 2, failed: 1 });
  expect(countReport('chrome', undefined, 134, false)).toMatchObject({ passed: 0, failed: 1 });
});
