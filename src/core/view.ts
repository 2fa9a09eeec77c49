// A view: a way to read a flat buffer as a tensor, by an offset and a stride per axis (both in elements).
// Slices, transposes, broadcasts and most reshapes are views: they cost nothing and are folded into the
// kernel that reads them.
import { sameShape, sizeOf, stridesOf, type Shape } from './shape.ts';

export interface View {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

export function denseView(shape: Shape, offset = 0): View {
  return { shape, strides: stridesOf(shape), offset };
}

/** Row-major without gaps; axes of size 1 may have any stride. */
export function isDense(view: View): boolean {
  const strides = stridesOf(view.shape);
  return view.shape.every((n, axis) => n === 1 || view.strides[axis] === strides[axis]);
}

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

/** `start` and `shape` per axis: the block that begins at `start`. */
export function sliceView(view: View, start: readonly number[], shape: Shape): View {
  const offset = start.reduce((sum, s, axis) => sum + s * view.strides[axis], view.offset);
  return { shape, strides: view.strides, offset };
}

/** NumPy's broadcasting to `shape`: repeated axes get stride 0. */
export function broadcastView(view: View, shape: Shape): View {
  const lead = shape.length - view.shape.length;
  const strides = shape.map((n, axis) => {
    const own = axis - lead;
    return own < 0 || (view.shape[own] === 1 && n !== 1) ? 0 : view.strides[own];
  });
  return { shape, strides, offset: view.offset };
}

/** Merges neighbouring axes that every view walks as one; axes of size 1 vanish. The views share a shape. */
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

/** The same elements in the same order under another shape, or undefined where that needs a copy. */
export function reshapeView(view: View, shape: Shape): View | undefined {
  if (isDense(view)) return { shape, strides: stridesOf(shape), offset: view.offset };
  const [flat] = collapse([view]);
  // Each collapsed axis is cut into the new sizes that multiply to it, from the back.
  const strides: number[] = Array.from({ length: shape.length }, () => 0);
  let axis = shape.length - 1;
  for (let source = flat.shape.length - 1; source >= 0; source--) {
    let stride = flat.strides[source];
    let left = flat.shape[source];
    while (left > 1) {
      if (axis < 0 || left % shape[axis] !== 0) return undefined;
      strides[axis] = stride;
      stride *= shape[axis];
      left /= shape[axis];
      axis--;
    }
  }
  return sizeOf(shape) === sizeOf(view.shape) ? { shape, strides, offset: view.offset } : undefined;
}

/** Last element it touches plus one. */
export function viewEnd(view: View): number {
  return view.shape.reduce((end, n, axis) => end + (n - 1) * view.strides[axis], view.offset) + 1;
}

/** Calls `visit` with the element index of each view, in row-major order of their shared shape. */
export function walk(views: readonly View[], visit: (indices: readonly number[]) => void): void {
  const { shape } = views[0];
  const total = sizeOf(shape);
  const at: number[] = Array.from({ length: shape.length }, () => 0);
  const indices = views.map((view) => view.offset);
  for (let n = 0; n < total; n++) {
    visit(indices);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis]++;
      for (let i = 0; i < views.length; i++) indices[i] += views[i].strides[axis];
      if (at[axis] < shape[axis]) break;
      for (let i = 0; i < views.length; i++) indices[i] -= views[i].strides[axis] * shape[axis];
      at[axis] = 0;
    }
  }
}
