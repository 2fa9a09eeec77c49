// Gather of the rows of a table, and scatter, which sums rows into a table: it sorts the indices and sums each run of equal ones.
import { sizeOf } from '../../../core/shape.ts';
import type { Signature } from '../../../graph/value.ts';
import { gatherOp, scatterOp } from '../../../ops/gather.ts';
import type { Placed, Region } from '../../../plan/target.ts';
import { gather as gatherKernel } from '../../../../shaders/gen/gather.ts';
import { scatter as scatterKernel } from '../../../../shaders/gen/scatter.ts';
import { scatter_join } from '../../../../shaders/gen/scatter_join.ts';
import { scatter_merge } from '../../../../shaders/gen/scatter_merge.ts';
import { scatter_sort } from '../../../../shaders/gen/scatter_sort.ts';
import { scatter_zero } from '../../../../shaders/gen/scatter_zero.ts';
import { dispatch, type Dispatch } from '../dispatch.ts';
import { fillDispatch } from './elementwise.ts';
import { defineKernel } from './kernel.ts';
import { gridFor } from './wgsl_expression.ts';

export const gather = defineKernel(gatherOp, {
  dispatches: ({ inputs: [table, index], outputs: [out] }) => [
    dispatch(gatherKernel, {
      bindings: { table, index, out },
      uniforms: { rows: table.view.shape[0], width: table.view.shape[1], size: sizeOf(out.view.shape) },
      workgroups: gridFor(sizeOf(out.view.shape), 64),
    }),
  ],
});

export const scatter = defineKernel(scatterOp, {
  scratch: scatterScratch,
  dispatches: scatterDispatches,
});

/** Indices that one launch sorts, each by comparison with all of them; further launches merge. */
const SORTED = 128;
/** The fewest rows of a chunk: fewer are not worth another launch. */
const MIN_CHUNK = 32;
/** Quads that an invocation sets to zero. */
const ZEROED = 16;

/** Rows that an invocation sums. One run of all rows takes as many additions in a chunk as for the sums of the chunks. */
const chunkOf = (count: number): number => Math.max(MIN_CHUNK, Math.ceil(Math.sqrt(count)));

/** Sizes of the chunks' parts, and of the order of the indices: two where merges take turns. */
function scatterScratch(_: unknown, [source, { shape }]: readonly Signature[]): number[] {
  const [count] = shape;
  const parts = Math.ceil(count / chunkOf(count)) * source.shape[1];
  return [parts, count, ...(count > SORTED ? [count] : [])];
}

/** Zeros; a sort of the indices by a launch and its merges; the sums of each chunk; and sums of those. */
function scatterDispatches({
  inputs: [source, index],
  outputs: [out],
  scratch,
}: Placed<{ readonly rows: number }>): Dispatch[] {
  const [parts, first, second] = scratch;
  const [count] = index.view.shape;
  const [rows, width] = out.view.shape;
  const chunk = chunkOf(count);
  const chunks = Math.ceil(count / chunk);
  const launch = (invocations: number, run = SORTED) => ({
    uniforms: { rows, width, count, run, chunk, chunks },
    workgroups: gridFor(invocations, 64),
  });
  const sort = dispatch(scatter_sort, { ...launch(count), bindings: { index, order: first } });
  const launches = [...zeroDispatches(out), sort];
  let [order, merged] = [first, second];
  for (let run = SORTED; run < count; run *= 2) {
    const bindings = { index, order, merged };
    launches.push(dispatch(scatter_merge, { ...launch(count, run), bindings, readOnly: ['order'] }));
    [order, merged] = [merged, order];
  }
  const bindings = { index, order, parts, out };
  launches.push(
    dispatch(scatterKernel, {
      ...launch(chunks * width),
      bindings: { ...bindings, source },
      readOnly: ['order'],
    }),
  );
  if (chunks === 1) return launches;
  const readOnly = ['order', 'parts'] as const;
  return [...launches, dispatch(scatter_join, { ...launch((chunks - 1) * width), bindings, readOnly })];
}

/** Sets a dense region to zeros: its quads, and the one to three elements that may follow them. */
function zeroDispatches({ view: { shape, offset }, ...memory }: Region): Dispatch[] {
  const size = sizeOf(shape);
  const quads = Math.floor(size / 4);
  const rest = { ...memory, view: { shape: [size % 4], strides: [1], offset: offset + 4 * quads } };
  const launches = size % 4 === 0 ? [] : fillDispatch(0, rest);
  if (quads === 0) return launches;
  const bindings = { out: { buffer: memory.buffer, offset, size: 4 * quads } };
  const workgroups = gridFor(quads, 64 * ZEROED);
  return [dispatch(scatter_zero, { bindings, uniforms: { quads }, workgroups }), ...launches];
}
