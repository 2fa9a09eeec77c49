// The error class of the library. A message names the operation, the expected and the given value, and the remedy.

export type ErrorCode =
  | 'shape'
  | 'dtype'
  | 'argument'
  | 'unsupported'
  | 'disposed'
  | 'not-finite'
  | 'no-adapter'
  | 'device-lost'
  | 'device'
  | 'file'
  | 'mismatch'
  | 'internal';

export class GatewiseError extends Error {
  override readonly name = 'GatewiseError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A value as short text for an error message: shapes as [2, 3], strings quoted, lists cut after 8 elements. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'function') return `function ${value.name}`;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    // The type ArrayBufferView has no length, but typed arrays have.
    const list = Array.from(value as unknown as ArrayLike<unknown>);
    const head = list.slice(0, 8).map(show).join(', ');
    return `[${head}${list.length > 8 ? ', …' : ''}]`;
  }
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'object';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
