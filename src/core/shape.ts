// Shapes, dtypes, strides and broadcasting. A shape is a list of sizes, outermost axis first; [] is a scalar.
import { GatewiseError, show } from './errors.ts';

export type Shape = readonly number[];
export type DType = 'f32' | 'i32';

/** A tensor's elements on the host. In float64 mode, for gradient checks, f32 tensors are Float64Array. */
export type NumberArray = Float32Array | Float64Array | Int32Array;

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, axis) => n === b[axis]);
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides: number[] = Array.from({ length: shape.length }, () => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

/** Throws unless every size is a whole number of at least 1. */
export function checkShape(what: string, shape: Shape): void {
  for (const n of shape) {
    if (!Number.isInteger(n) || n < 1) {
      throw new GatewiseError(
        'shape',
        `${what}: every size must be a whole number of at least 1, got ${show(shape)}`,
      );
    }
  }
}

/** The axis counted from the front; negative axes count from the back, as in PyTorch. */
export function normalizeAxis(what: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new GatewiseError(
      'shape',
      `${what}: axis ${show(axis)} is outside a tensor of rank ${rank}; expected ${-rank} to ${rank - 1}`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/** The shape to which shapes broadcast by NumPy's rule: aligned from the last axis, sizes are equal or 1. */
export function broadcastShapes(what: string, shapes: readonly Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result: number[] = Array.from({ length: rank }, () => 1);
  for (const shape of shapes) {
    shape.forEach((n, i) => {
      const axis = rank - shape.length + i;
      if (n !== 1 && result[axis] !== 1 && n !== result[axis]) {
        throw new GatewiseError(
          'shape',
          `${what}: shapes ${shapes.map(show).join(' and ')} do not broadcast: axis ${axis - rank} is ${result[axis]} in one and ${n} in another; expected equal sizes or 1`,
        );
      }
      if (n !== 1) result[axis] = n;
    });
  }
  return result;
}
