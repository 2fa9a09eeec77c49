// Recognises typed arrays of any realm, such as an iframe's, for which `instanceof` is false.

const tag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)
  ?.get as (this: unknown) => string | undefined;

/** The type of a typed array, such as 'Float32Array'; undefined for any other value. A Node Buffer is a 'Uint8Array'. */
export function typedArrayType(value: unknown): string | undefined {
  return tag.call(value);
}

/** Whether a typed array lies in shared memory, which other threads can write. */
export function isShared({ buffer }: ArrayBufferView): boolean {
  return Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]';
}
