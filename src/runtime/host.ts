// Host data that is accepted in place of a tensor, and its conversion to shape, dtype and elements.
import { GatewiseError, show } from '../core/errors.ts';
import { checkShape, sameShape, sizeOf, type DType, type Shape } from '../core/shape.ts';
import { isShared, typedArrayType } from '../core/typed_array.ts';

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * Numbers on the host: nested lists, one level per axis, of which the innermost may be typed arrays; or one typed array (rank 1).
 * Int32Array, BigInt64Array and BigUint64Array become i32, everything else f32, unless a dtype is given.
 */
export type HostData = number | TypedArray | readonly HostData[];

export interface HostTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: Float32Array | Float64Array | Int32Array;
}

const INTEGERS: readonly unknown[] = ['Int32Array', 'BigInt64Array', 'BigUint64Array'];

/** @param shape Another shape with as many elements. @param dtype Instead of the data's own. */
export function toHostTensor(what: string, given: HostData, shape?: Shape, dtype?: DType): HostTensor {
  const own = shapeOf(what, given);
  // Other threads can write shared memory, also between a check and its use.
  const value =
    typedArrayType(given) !== undefined && isShared(given as TypedArray)
      ? (given as TypedArray).slice()
      : given;
  const target = shape ?? own;
  checkShape(what, target);
  if (sizeOf(target) !== sizeOf(own)) {
    throw new GatewiseError(
      'shape',
      `${what}: shape ${show(target)} needs ${sizeOf(target)} numbers, got ${sizeOf(own)}`,
    );
  }
  const wanted = dtype ?? (isInteger(value) ? 'i32' : 'f32');
  if (wanted === 'f32') {
    const isFloat = value instanceof Float32Array || value instanceof Float64Array;
    return { shape: target, dtype: 'f32', data: isFloat ? value : flatten(value, sizeOf(own)) };
  }
  if (value instanceof Int32Array) return { shape: target, dtype: 'i32', data: value };
  const data = flatten(value, sizeOf(own));
  // Fractions, and whole numbers beyond 32 bits, which an Int32Array would wrap.
  const odd = data.find((x) => x !== (x | 0));
  if (odd !== undefined)
    throw new GatewiseError('dtype', `${what}: expected whole numbers of 32 bits (i32), got ${odd}`);
  return { shape: target, dtype: 'i32', data: Int32Array.from(data) };
}

/** Whether all innermost typed arrays hold integers by their type, and there are no other numbers. */
function isInteger(value: HostData): boolean {
  return Array.isArray(value)
    ? (value as readonly HostData[]).every(isInteger)
    : INTEGERS.includes(typedArrayType(value));
}

function shapeOf(what: string, value: HostData): number[] {
  if (typeof value === 'number') return [];
  if (typedArrayType(value) !== undefined && !isNodeBuffer(value)) return [(value as TypedArray).length];
  if (!Array.isArray(value)) {
    const expected = 'a tensor, a number, or numbers in nested lists and typed arrays';
    throw new GatewiseError('argument', `${what}: expected ${expected}, got ${describe(value)}`);
  }
  const list = value as readonly HostData[];
  if (list.length === 0)
    throw new GatewiseError('shape', `${what}: a list has no elements; every size must be at least 1`);
  // Array.from also visits the holes of a sparse list, so that they are refused.
  const shapes = Array.from(list, (item) => shapeOf(what, item));
  const odd = shapes.find((shape) => !sameShape(shape, shapes[0]));
  if (odd !== undefined)
    throw new GatewiseError(
      'shape',
      `${what}: lists side by side have shapes ${show(shapes[0])} and ${show(odd)}; expected one shape`,
    );
  return [list.length, ...shapes[0]];
}

/** Whether it is Node's Buffer, a polyfill or a subclass of it: a Uint8Array whose bytes may be those of any numbers. */
function isNodeBuffer(value: unknown): boolean {
  const { constructor } = Object(value) as { constructor?: { isBuffer?: (value: unknown) => unknown } };
  return constructor?.isBuffer?.(value) === true;
}

/** Describes a value that is not host data, with advice if its bytes may mean several things. */
function describe(value: unknown): string {
  const name = (value as object | undefined)?.constructor?.name ?? '';
  if (isNodeBuffer(value))
    return 'a Buffer of bytes; for its float32 numbers pass new Float32Array(new Uint8Array(it).buffer), for a number of each byte new Uint8Array(it)';
  if (name === 'DataView')
    return 'a DataView; pass a typed array, such as new Float32Array(it.buffer, it.byteOffset, it.byteLength / 4)';
  if (/^(Shared)?ArrayBuffer$/.test(name)) return `${name}; pass a typed array, such as new Float32Array(it)`;
  return show(value);
}

/** All elements in row-major order. */
function flatten(value: HostData, size: number): Float64Array {
  const data = new Float64Array(size);
  if (typedArrayType(value)?.startsWith('Big') === false) {
    data.set(value as Float32Array);
    return data;
  }
  let next = 0;
  const visit = (item: HostData | bigint): void => {
    if (typeof item === 'number' || typeof item === 'bigint') data[next++] = Number(item);
    else for (const inner of item) visit(inner);
  };
  visit(value);
  return data;
}
