// What a failing call throws, for `toThrow` and `rejects.toThrow`.
import { expect } from 'vitest';

import type { ErrorCode } from '../src/index.ts';

/** Matches a GatewiseError of this code whose message contains the text or matches the expression. */
export const failure = (code: ErrorCode, message: string | RegExp = ''): Error =>
  expect.objectContaining({
    name: 'GatewiseError',
    code,
    message: (typeof message === 'string'
      ? expect.stringContaining(message)
      : expect.stringMatching(message)) as string,
  }) as Error;
