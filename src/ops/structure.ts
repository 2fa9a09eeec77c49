// Structural ops: views, which cost nothing since kernels read strided tensors; and concat, constant, empty and gap, which the
// planner resolves into copies and fills. Reductions are here too, since the gradient of a broadcast is a sum and vice versa.
import { GatewiseError, show } from '../core/errors.ts';
import { broadcastShapes, checkShape, normalizeAxis, sameShape, sizeOf, type Shape } from '../core/shape.ts';
import { broadcastView, reshapeView, sliceView, transposeView, type View } from '../core/view.ts';
import { div, equal, mul } from '../expr/arith.ts';
import { countOperations, Expr } from '../expr/expr.ts';
import { apply, applyAll, defineOp, expectValue, isOp, type Op, type Value } from '../graph/value.ts';

export const reshapeOp: Op<{ readonly shape: Shape }> = /* @__PURE__ */ defineOp({
  name: 'reshape',
  summary: 'the same elements in the same order under another shape',
  infer: ({ shape }, [x]) => {
    checkShape('reshape', shape);
    if (sizeOf(shape) !== sizeOf(x.shape))
      throw new GatewiseError(
        'shape',
        `reshape: ${show(shape)} has ${sizeOf(shape)} elements, the input ${show(x.shape)} has ${sizeOf(x.shape)}`,
      );
    return [{ shape, dtype: x.dtype }];
  },
  view: ({ shape }, input) => reshapeView(input, shape),
  grad: (node, [d]) => [d && reshape(d, node.inputs[0].shape)],
});

export const transposeOp: Op<{ readonly order: readonly number[] }> = /* @__PURE__ */ defineOp({
  name: 'transpose',
  summary: 'axes in another order',
  infer: ({ order }, [x]) => {
    if (
      !sameShape(
        order.toSorted((a, b) => a - b),
        [...x.shape.keys()],
      )
    )
      throw new GatewiseError(
        'shape',
        `transpose: expected an order of the axes 0 to ${x.shape.length - 1}, got ${show(order)}`,
      );
    return [{ shape: order.map((axis) => x.shape[axis]), dtype: x.dtype }];
  },
  view: ({ order }, input) => transposeView(input, order),
  grad: ({ attrs: { order } }, [d]) => {
    const inverse = order.map((_, axis) => order.indexOf(axis));
    return [d && transpose(d, inverse)];
  },
});

export const splitOp: Op<{ readonly axis: number; readonly sizes: readonly number[] }> =
  /* @__PURE__ */ defineOp({
    name: 'split',
    summary: 'divides an axis into contiguous parts, one output each',
    infer: ({ axis, sizes }, [{ shape, dtype }]) =>
      sizes.map((size) => ({ shape: shape.with(axis, size), dtype })),
    view: ({ axis, sizes }, input, output) => {
      const before = sizes.slice(0, output).reduce((a, b) => a + b, 0);
      const start = input.shape.map((_, i) => (i === axis ? before : 0));
      return sliceView(input, start, input.shape.with(axis, sizes[output]));
    },
    grad: ({ attrs, outputs }, parts) => {
      if (parts.every((d) => d === undefined)) return [undefined];
      return [
        concat(
          parts.map((d, i) => d ?? zeros(outputs[i].shape)),
          attrs.axis,
        ),
      ];
    },
  });

export const broadcastOp: Op<{ readonly shape: Shape }> = /* @__PURE__ */ defineOp({
  name: 'broadcast',
  summary: 'repeats axes of size 1 and adds leading axes',
  infer: ({ shape }, [x]) => {
    if (!sameShape(broadcastShapes('broadcast', [x.shape, shape]), shape))
      throw new GatewiseError('shape', `broadcast: ${show(x.shape)} does not broadcast to ${show(shape)}`);
    return [{ shape, dtype: x.dtype }];
  },
  view: ({ shape }, input) => broadcastView(input, shape),
  grad: (node, [d]) => {
    if (d === undefined) return [undefined];
    const { shape } = node.inputs[0];
    const lead = d.shape.length - shape.length;
    const axes = d.shape.flatMap((n, axis) =>
      axis < lead || (shape[axis - lead] === 1 && n !== 1) ? [axis] : [],
    );
    return [reshape(sum(d, axes), shape)];
  },
});

export const concatOp: Op<{ readonly axis: number }> = /* @__PURE__ */ defineOp({
  name: 'concat',
  isStructural: true,
  summary: 'concatenates along an axis; kernels write their pieces directly into the result',
  infer: ({ axis }, inputs) => {
    const [first] = inputs;
    for (const { shape, dtype } of inputs) {
      const fits =
        shape.length === first.shape.length && shape.every((n, i) => i === axis || n === first.shape[i]);
      if (!fits)
        throw new GatewiseError(
          'shape',
          `concat along axis ${axis}: shapes ${inputs.map((x) => show(x.shape)).join(', ')} differ elsewhere`,
        );
      if (dtype !== first.dtype)
        throw new GatewiseError('dtype', `concat: expected one dtype, got ${first.dtype} and ${dtype}`);
    }
    const total = inputs.reduce((sum, { shape }) => sum + shape[axis], 0);
    return [{ shape: first.shape.with(axis, total), dtype: first.dtype }];
  },
  grad: (node, [d]) => {
    let start = 0;
    return node.inputs.map((x) => {
      const from = start;
      start += x.shape[node.attrs.axis];
      return d && slice(d, node.attrs.axis, from, start);
    });
  },
});

/** Declares an op without inputs, which the planner resolves. */
const sourceOp = <Attrs extends { readonly shape: Shape }>(name: string, summary: string): Op<Attrs> =>
  defineOp({
    name,
    summary,
    isStructural: true,
    infer: ({ shape }) => [{ shape, dtype: 'f32' }],
    grad: () => [],
  });

export const constantOp: Op<{ readonly shape: Shape; readonly value: number }> = /* @__PURE__ */ sourceOp(
  'constant',
  'a tensor of one number; folded into the expressions that read it',
);

export const gapOp: Op<{ readonly shape: Shape }> = /* @__PURE__ */ sourceOp(
  'gap',
  'zeros between the pieces of a concat: no step writes them, and the buffer is not shared',
);

export const emptyOp: Op<{ readonly shape: Shape }> = /* @__PURE__ */ sourceOp(
  'empty',
  'uninitialized memory, as torch.empty',
);

export interface ReduceAttrs {
  readonly kind: 'sum' | 'max';
  /** In ascending order. */
  readonly axes: readonly number[];
  /** The expression whose values are reduced, over the inputs `in0`…, which share a shape. */
  readonly prologue: Expr;
}

/** A view over the kept axes, which has the offset, and one over the reduced axes. An element's index is the sum of both. */
export function splitAxes(view: View, axes: readonly number[]): { kept: View; reduced: View } {
  const select = (isReduced: boolean): View => {
    const selected = [...view.shape.keys()].filter((axis) => axes.includes(axis) === isReduced);
    return {
      shape: selected.map((axis) => view.shape[axis]),
      strides: selected.map((axis) => view.strides[axis]),
      offset: 0,
    };
  };
  return { kept: { ...select(false), offset: view.offset }, reduced: select(true) };
}

export const reduceOp: Op<ReduceAttrs> = /* @__PURE__ */ defineOp({
  name: 'reduce',
  summary: 'sum or maximum along axes, of an expression over the inputs',
  infer: ({ axes }, inputs) => [
    { shape: inputs[0].shape.filter((_, axis) => !axes.includes(axis)), dtype: 'f32' },
  ],
  cost: ({ prologue }, inputs) => (countOperations([prologue]) + 1) * sizeOf(inputs[0].shape),
  grad: (node, [d]) => {
    const [x] = node.inputs;
    if (d === undefined) return [undefined];
    const keepdim = x.shape.map((n, axis) => (node.attrs.axes.includes(axis) ? 1 : n));
    if (node.attrs.kind === 'sum') return [broadcast(reshape(d, keepdim), x.shape)];
    // Several largest elements share the gradient equally, as in torch.amax.
    const hit = equal(x, broadcast(reshape(node.outputs[0], keepdim), x.shape));
    const share = div(d, sum(hit, node.attrs.axes));
    return [mul(hit, broadcast(reshape(share, keepdim), x.shape))];
  },
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/** The same elements in row-major order under another shape; one size may be -1, which follows from the others. */
export function reshape(x: Value, shape: Shape): Value {
  const given = sizeOf(shape.filter((n) => n !== -1));
  const full = shape.map((n) => (n === -1 ? sizeOf(x.shape) / given : n));
  if (sameShape(full, x.shape)) return x;
  // A reshape of a reshape is one reshape.
  const source = isOp(x.node, reshapeOp) ? x.node.inputs[0] : x;
  return sameShape(full, source.shape) ? source : apply(reshapeOp, { shape: full }, [source]);
}

/** Permutes the axes, as torch.permute; without an order, swaps the last two. */
export function transpose(x: Value, order?: readonly number[]): Value {
  const rank = x.shape.length;
  const axes = [...x.shape.keys()];
  if (order === undefined && rank < 2)
    throw new GatewiseError('shape', `transpose: expected at least two axes, got shape ${show(x.shape)}`);
  const swapped = [...axes.slice(0, -2), rank - 1, rank - 2];
  const full = order?.map((axis) => normalizeAxis('transpose', axis, rank)) ?? swapped;
  if (sameShape(full, axes)) return x;
  // A transpose that undoes another one is the input of that one.
  if (isOp(x.node, transposeOp)) {
    const { attrs, inputs } = x.node;
    if (full.length === rank && full.every((axis, i) => attrs.order[axis] === i)) return inputs[0];
  }
  return apply(transposeOp, { order: full }, [x]);
}

/** The elements from `start` to before `end` of one axis; negative numbers count from the end of the axis. */
export function slice(
  x: Value,
  axis: number,
  start: number,
  end: number = x.shape[normalizeAxis('slice', axis, x.shape.length)],
): Value {
  const at = normalizeAxis('slice', axis, x.shape.length);
  const size = x.shape[at];
  const from = start < 0 ? start + size : start;
  const to = end < 0 ? end + size : end;
  if (!(from >= 0 && from < to && to <= size))
    throw new GatewiseError(
      'shape',
      `slice: elements ${start} to ${end} of axis ${axis} are not within its ${size}`,
    );
  const sizes = [from, to - from, size - to].filter((n) => n > 0);
  return split(x, sizes, at)[from > 0 ? 1 : 0];
}

/** Splits one axis, as torch.split: into parts of the given sizes, or of one size, of which the last may be smaller. */
export function split(x: Value, sizes: number | readonly number[], axis = 0): Value[] {
  const at = normalizeAxis('split', axis, x.shape.length);
  const size = x.shape[at];
  const all =
    typeof sizes === 'number'
      ? Array.from({ length: Math.ceil(size / sizes) }, (_, i) => Math.min(sizes, size - i * sizes))
      : sizes;
  if (all.reduce((a, b) => a + b, 0) !== size || !all.every((n) => Number.isInteger(n) && n > 0))
    throw new GatewiseError(
      'shape',
      `split: axis ${axis} of size ${size} cannot be cut into parts of ${show(sizes)}; expected whole sizes of at least 1 that sum to ${size}`,
    );
  return all.length === 1 ? [x] : [...applyAll(splitOp, { axis: at, sizes: all }, [x])];
}

/** Splits one axis into `chunks` equal parts, as torch.chunk; the size must be divisible. */
export function chunk(x: Value, chunks: number, axis = 0): Value[] {
  const size = x.shape[normalizeAxis('chunk', axis, x.shape.length)];
  if (!Number.isInteger(chunks) || chunks < 1 || size % chunks !== 0)
    throw new GatewiseError(
      'shape',
      `chunk: axis ${axis} of size ${size} cannot be cut into ${show(chunks)} equal parts`,
    );
  return split(x, size / chunks, axis);
}

/** Broadcasts to a shape, as NumPy does. */
export function broadcast(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : apply(broadcastOp, { shape }, [x]);
}

/** Concatenates along an axis, as torch.cat. */
export function concat(pieces: readonly Value[], axis = 0): Value {
  if (pieces.length === 0)
    throw new GatewiseError('argument', 'concat: expected at least one piece, got none');
  const at = normalizeAxis('concat', axis, pieces[0].shape.length);
  return pieces.length === 1 ? pieces[0] : apply(concatOp, { axis: at }, pieces);
}

/** A tensor of one number. */
export function constant(value: number, shape: Shape = []): Value {
  return apply(constantOp, { value, shape }, []);
}

export function zeros(shape: Shape): Value {
  return constant(0, shape);
}

/** Whether the graph shows that all elements of a value are 0. */
export function isZero({ node, index }: Value): boolean {
  if (node === undefined) return false;
  if (isOp(node, constantOp)) return node.attrs.value === 0;
  if (isOp(node, concatOp)) return node.inputs.every(isZero);
  return node.op.view !== undefined && isZero(node.inputs[node.op.viewOf?.(index) ?? 0]);
}

/** Uninitialized memory, which an in-place op then writes. */
export function empty(shape: Shape): Value {
  return apply(emptyOp, { shape }, []);
}

/** Zeros between the pieces of a concat that no step has to write. */
export function gap(shape: Shape): Value {
  return apply(gapOp, { shape }, []);
}

function reduce(kind: ReduceAttrs['kind'], x: Value, axes?: number | readonly number[]): Value {
  expectValue(kind, x, 'f32');
  const rank = x.shape.length;
  const list = axes === undefined ? [...x.shape.keys()] : typeof axes === 'number' ? [axes] : axes;
  const full = list.map((axis) => normalizeAxis(kind, axis, rank)).sort((a, b) => a - b);
  const repeated = full.find((axis, i) => full.indexOf(axis) !== i);
  if (repeated !== undefined)
    throw new GatewiseError('argument', `${kind}: axis ${repeated} is named twice in ${show(list)}`);
  return full.length === 0 ? x : apply(reduceOp, { kind, axes: full, prologue: Expr.input('in0') }, [x]);
}

/** Sum along the given axes, or all. The axes are removed from the shape. */
export function sum(x: Value, axes?: number | readonly number[]): Value {
  return reduce('sum', x, axes);
}

/** Arithmetic mean along the given axes, or all. */
export function mean(x: Value, axes?: number | readonly number[]): Value {
  const total = sum(x, axes);
  if (total === x) return x;
  // The factor applies to the elements, so that it is fused into the reduction.
  return sum(mul(x, sizeOf(total.shape) / sizeOf(x.shape)), axes);
}

/** Largest element along the given axes, or all. */
export function max(x: Value, axes?: number | readonly number[]): Value {
  return reduce('max', x, axes);
}
