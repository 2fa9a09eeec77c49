// Host data that is accepted in place of a tensor, and its conversion to shape, dtype and elements.
import { GatewiseError, show } from '../core/errors.ts';
import { checkShape, sameShape, sizeOf, type DType, type Shape } from '../core/shape.ts';

export type NestedNumbers = number | readonly NestedNumbers[];

/** Numbers on the host: nested lists, or a typed array (of rank 1). Int32Array is i32, everything else f32. */
export type HostData = NestedNumbers | Float32Array | Float64Array | Int32Array;

export interface HostTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: Float32Array | Float64Array | Int32Array;
}

/** @param shape Another shape with as many elements. @param dtype Instead of the data's own. */
export function toHostTensor(what: string, value: HostData, shape?: Shape, dtype?: DType): HostTensor {
  const typed = value instanceof Float32Array || value instanceof Float64Array || value instanceof Int32Array;
  const own = typed ? [value.length] : shapeOf(what, value);
  const target = shape ?? own;
  checkShape(what, target);
  if (sizeOf(target) !== sizeOf(own)) {
    throw new GatewiseError(
      'shape',
      `${what}: shape ${show(target)} needs ${sizeOf(target)} numbers, got ${sizeOf(own)}`,
    );
  }
  const wanted = dtype ?? (value instanceof Int32Array ? 'i32' : 'f32');
  const data = typed ? value : flatten(value, sizeOf(own));
  if (wanted === 'f32')
    return { shape: target, dtype: 'f32', data: data instanceof Int32Array ? Float32Array.from(data) : data };
  if (data instanceof Int32Array) return { shape: target, dtype: 'i32', data };
  // Fractions, and whole numbers beyond 32 bits, which an Int32Array would wrap.
  const odd = data.find((x) => x !== (x | 0));
  if (odd !== undefined)
    throw new GatewiseError('dtype', `${what}: expected whole numbers of 32 bits (i32), got ${odd}`);
  return { shape: target, dtype: 'i32', data: Int32Array.from(data) };
}

function shapeOf(what: string, value: NestedNumbers): number[] {
  if (typeof value === 'number') return [];
  if (!Array.isArray(value)) {
    throw new GatewiseError(
      'argument',
      `${what}: expected a tensor, a number, nested lists of numbers or a Float32Array, Float64Array or Int32Array, got ${ArrayBuffer.isView(value) ? `${(value as object).constructor.name}; make it Int32Array.from(it)` : show(value)}`,
    );
  }
  const list = value as readonly NestedNumbers[];
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

function flatten(value: NestedNumbers, size: number): Float64Array {
  const data = new Float64Array(size);
  let next = 0;
  const visit = (item: NestedNumbers): void => {
    if (typeof item === 'number') data[next++] = item;
    else for (const inner of item) visit(inner);
  };
  visit(value);
  return data;
}
