// Calls that the library refuses, as a table of tests.
import { expect, test } from 'vitest';

import type { ErrorCode } from '../src/index.ts';
import { failure } from './failure.ts';

export type Refusal = readonly [what: string, call: () => unknown, code: ErrorCode, message: RegExp];

export function testRefusals(rows: readonly Refusal[]): void {
  test.each(rows)('%s', (_, call, code, message) => {
    expect(call).toThrow(failure(code, message));
  });
}
