// An error as plain data, which can be sent from the worker to the page.
import { GatewiseError } from '../src/core/errors.ts';

export interface Failure {
  /** Of a GatewiseError. */
  readonly code: string | undefined;
  readonly message: string;
}

export function failureOf(error: unknown): Failure {
  return {
    code: error instanceof GatewiseError ? error.code : undefined,
    message: error instanceof Error ? error.message : String(error),
  };
}
