// Views: an offset and a stride for each axis, in elements, by which a tensor lies in a flat buffer. Slices, transposes,
// broadcasts and most reshapes are views and need no copy.
import { sameShape, sizeOf, stridesOf, type Shape } from './shape.ts';

export interface View {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

export function denseView(shape: Shape, offset = 0): View {
  return { shape, strides: stridesOf(shape), offset };
}

/** Whether a view is row-major without gaps; the strides of axes of size 1 do not matter. */
export function isDense(view: View): boolean {
  const strides = stridesOf(view.shape);
  return view.shape.every((n, axis) => n === 1 || view.strides[axis] === strides[axis]);
}

/** Whether views of one buffer have equal shapes and address the same elements. */
export function sameView(a: View, b: View): boolean {
  return (
    a.offset === b.offset &&
    sameShape(a.shape, b.shape) &&
    a.shape.every((n, axis) => n === 1 || a.strides[axis] === b.strides[axis])
  );
}

export function transposeView(view: View, order: readonly number[]): View {
  return {
    shape: order.map((axis) => view.shape[axis]),
    strides: order.map((axis) => view.strides[axis]),
    offset: view.offset,
  };
}

/** The block of `shape` that begins at the index `start`. */
export function sliceView(view: View, start: readonly number[], shape: Shape): View {
  const offset = start.reduce((sum, s, axis) => sum + s * view.strides[axis], view.offset);
  return { shape, strides: view.strides, offset };
}

/** A view broadcast to `shape` by NumPy's rule: repeated axes have stride 0. */
export function broadcastView(view: View, shape: Shape): View {
  const lead = shape.length - view.shape.length;
  const strides = shape.map((n, axis) => {
    const source = axis - lead;
    return source < 0 || (view.shape[source] === 1 && n !== 1) ? 0 : view.strides[source];
  });
  return { shape, strides, offset: view.offset };
}

/** Removes axes of size 1 and merges adjacent axes that all views can address as one. The views share a shape. */
export function collapse(views: readonly View[]): View[] {
  const shape: number[] = [];
  const strides: number[][] = views.map(() => []);
  views[0].shape.forEach((n, axis) => {
    if (n === 1) return;
    const last = shape.length - 1;
    if (last >= 0 && views.every((view, i) => strides[i][last] === view.strides[axis] * n)) {
      shape[last] *= n;
      views.forEach((view, i) => (strides[i][last] = view.strides[axis]));
    } else {
      shape.push(n);
      views.forEach((view, i) => strides[i].push(view.strides[axis]));
    }
  });
  return views.map((view, i) => ({ shape, strides: strides[i], offset: view.offset }));
}

/** The same elements in row-major order under another shape; undefined if that needs a copy. */
export function reshapeView(view: View, shape: Shape): View | undefined {
  if (isDense(view)) return { shape, strides: stridesOf(shape), offset: view.offset };
  const [flat] = collapse([view]);
  // Splits each collapsed axis into consecutive new axes whose sizes multiply to it, from the last one on.
  const strides: number[] = Array.from({ length: shape.length }, () => 0);
  let axis = shape.length - 1;
  for (let source = flat.shape.length - 1; source >= 0; source--) {
    let stride = flat.strides[source];
    let remaining = flat.shape[source];
    while (remaining > 1) {
      if (axis < 0 || remaining % shape[axis] !== 0) return undefined;
      strides[axis] = stride;
      stride *= shape[axis];
      remaining /= shape[axis];
      axis--;
    }
  }
  return sizeOf(shape) === sizeOf(view.shape) ? { shape, strides, offset: view.offset } : undefined;
}

/** The index after the last element that a view addresses. */
export function viewEnd(view: View): number {
  return view.shape.reduce((end, n, axis) => end + (n - 1) * view.strides[axis], view.offset) + 1;
}

/** Calls `visit` with the element indices of all views, which share a shape, in row-major order. The array is reused. */
export function walk(views: readonly View[], visit: (indices: readonly number[]) => void): void {
  const { shape } = views[0];
  const total = sizeOf(shape);
  const position: number[] = Array.from({ length: shape.length }, () => 0);
  const indices = views.map((view) => view.offset);
  for (let n = 0; n < total; n++) {
    visit(indices);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position[axis]++;
      for (let i = 0; i < views.length; i++) indices[i] += views[i].strides[axis];
      if (position[axis] < shape[axis]) break;
      for (let i = 0; i < views.length; i++) indices[i] -= views[i].strides[axis] * shape[axis];
      position[axis] = 0;
    }
  }
}
