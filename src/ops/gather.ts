// Selects rows of a table by index, and the transpose of that: an embedding layer, forward and backward.
// Host indices are validated before a run, so only a device can produce an index outside the table. Gather then clamps it to the
// nearest row and scatter skips the source row, so that no access is out of bounds.
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { apply, defineOp, expectValue, type Op, type Value } from '../graph/value.ts';
import { reshape } from './structure.ts';

export const gatherOp: Op<Record<never, never>> = /* @__PURE__ */ defineOp({
  name: 'gather',
  summary: 'rows of a table (V, E) by index (N): (N, E)',
  infer: (_, [table, index]) => {
    if (table.shape.length !== 2 || index.shape.length !== 1)
      throw new GatewiseError(
        'shape',
        `gather: expected a table (V, E) and indices (N), got ${show(table.shape)} and ${show(index.shape)}`,
      );
    return [{ shape: [index.shape[0], table.shape[1]], dtype: 'f32' }];
  },
  indexLimits: (_, [table]) => [{ input: 1, kind: 'index', limit: table.shape[0] }],
  reads: (_, [table, index]) => [sizeOf(index.shape) * table.shape[1], sizeOf(index.shape)],
  grad: (node, [d]) => [
    d && apply(scatterOp, { rows: node.inputs[0].shape[0] }, [d, node.inputs[1]]),
    undefined,
  ],
});

export const scatterOp: Op<{ readonly rows: number }> = /* @__PURE__ */ defineOp({
  name: 'scatter',
  summary: 'sums rows (N, E) into a table (V, E) by index (N), in a fixed order',
  infer: ({ rows }, [source, index]) => {
    if (source.shape.length !== 2 || index.shape.length !== 1 || source.shape[0] !== index.shape[0])
      throw new GatewiseError(
        'shape',
        `scatter: expected rows (N, E) and indices (N), got ${show(source.shape)} and ${show(index.shape)}`,
      );
    return [{ shape: [rows, source.shape[1]], dtype: 'f32' }];
  },
  indexLimits: (_, __, [table]) => [{ input: 1, kind: 'index', limit: table.shape[0] }],
  cost: (_, [source]) => sizeOf(source.shape),
  grad: (node, [d]) => [d && apply(gatherOp, {}, [d, node.inputs[1]]), undefined],
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/**
 * The rows of `table` (V, E) at the indices `index` (…): (…, E). Indices must be 0 to V - 1. Each call checks host data element
 * by element, and a tensor created from host data by its minimum and maximum. It cannot check a tensor that a compiled
 * function returned: an invalid index there reads the nearest row and has no gradient.
 */
export function gather(table: Value, index: Value): Value {
  expectValue('gather: table', table, 'f32');
  expectValue('gather: index', index, 'i32');
  const rows = apply(gatherOp, {}, [table, reshape(index, [-1])]);
  return reshape(rows, [...index.shape, table.shape[1]]);
}
