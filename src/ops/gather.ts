// Rows of a table by index, and its transpose: what an embedding layer does, forward and backward.
// Index inputs are checked before a run, so neither meets one outside the table unless a device computed it. Then gather
// takes the nearest row and scatter drops the source row: no memory but the table's is touched.
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { bindDense, dispatch } from '../graph/launch.ts';
import { defineOp, expectValue, type Op, type Value } from '../graph/value.ts';
import { gather as gatherKernel } from '../../shaders/gen/gather.ts';
import { scatter as scatterKernel } from '../../shaders/gen/scatter.ts';
import { apply } from './apply.ts';
import { reshape } from './structure.ts';
import { gridFor } from './wgsl_expression.ts';

export const gatherOp: Op<Record<never, never>> = /* @__PURE__ */ defineOp({
  name: 'gather',
  summary: 'rows of a table (V, E) by index (N): (N, E)',
  infer: (_, [table, index]) => {
    if (table.shape.length !== 2 || index.shape.length !== 1) {
      throw new GatewiseError(
        'shape',
        `gather: expected a table (V, E) and indices (N), got ${show(table.shape)} and ${show(index.shape)}`,
      );
    }
    return [{ shape: [index.shape[0], table.shape[1]], dtype: 'f32' }];
  },
  indexLimits: (_, [table]) => [{ input: 1, kind: 'index', limit: table.shape[0] }],
  cpu: (_, [table, index], [out]) => {
    const [rows, width] = table.view.shape;
    for (let i = 0; i < index.view.shape[0]; i++) {
      const row = Math.min(Math.max(index.data[index.view.offset + i], 0), rows - 1);
      for (let e = 0; e < width; e++)
        out.data[out.view.offset + i * width + e] = table.data[table.view.offset + row * width + e];
    }
  },
  gpu: ({ inputs: [table, index], outputs: [out] }) => [
    dispatch(gatherKernel, {
      bindings: { table: bindDense(table), index: bindDense(index), out: bindDense(out) },
      uniforms: { rows: table.view.shape[0], width: table.view.shape[1], size: sizeOf(out.view.shape) },
      workgroups: gridFor(sizeOf(out.view.shape), 64),
    }),
  ],
  reads: (_, [table, index]) => [sizeOf(index.shape) * table.shape[1], sizeOf(index.shape)],
  grad: (node, [d]) => [
    d && apply(scatterOp, { rows: node.inputs[0].shape[0] }, [d, node.inputs[1]]),
    undefined,
  ],
  tolerance: { absolute: 0, relative: 0 },
});

export const scatterOp: Op<{ readonly rows: number }> = /* @__PURE__ */ defineOp({
  name: 'scatter',
  summary: 'sums rows (N, E) into a table (V, E) by index (N), in the order of the rows',
  infer: ({ rows }, [source, index]) => {
    if (source.shape.length !== 2 || index.shape.length !== 1 || source.shape[0] !== index.shape[0]) {
      throw new GatewiseError(
        'shape',
        `scatter: expected rows (N, E) and indices (N), got ${show(source.shape)} and ${show(index.shape)}`,
      );
    }
    return [{ shape: [rows, source.shape[1]], dtype: 'f32' }];
  },
  indexLimits: (_, __, [table]) => [{ input: 1, kind: 'index', limit: table.shape[0] }],
  cpu: (_, [source, index], [out]) => {
    const [rows, width] = out.view.shape;
    const total = new Float64Array(rows * width);
    for (let i = 0; i < index.view.shape[0]; i++) {
      const row = index.data[index.view.offset + i];
      if (row < 0 || row >= rows) continue;
      for (let e = 0; e < width; e++)
        total[row * width + e] += source.data[source.view.offset + i * width + e];
    }
    total.forEach((value, i) => (out.data[out.view.offset + i] = value));
  },
  gpu: ({ inputs: [source, index], outputs: [out] }) => [
    dispatch(scatterKernel, {
      bindings: { source: bindDense(source), index: bindDense(index), out: bindDense(out) },
      uniforms: { width: out.view.shape[1], count: index.view.shape[0], rows: out.view.shape[0] },
      workgroups: gridFor(out.view.shape[0] * Math.ceil(out.view.shape[1] / 4), 64),
    }),
  ],
  cost: (_, [source]) => sizeOf(source.shape),
  grad: (node, [d]) => [d && apply(gatherOp, {}, [d, node.inputs[1]]), undefined],
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/**
 * Rows of `table` (V, E) by `index`, of any shape: (…, E). Indices must lie in 0 to V - 1. Each call checks them: of host
 * data those elements that are read, of a tensor that was made from host data its smallest and largest element. A tensor
 * that a compiled function returned is not checked; indices outside then take the nearest row and have no gradient.
 */
export function gather(table: Value, index: Value): Value {
  expectValue('gather: table', table, 'f32');
  expectValue('gather: index', index, 'i32');
  const rows = apply(gatherOp, {}, [table, reshape(index, [-1])]);
  return reshape(rows, [...index.shape, table.shape[1]]);
}
