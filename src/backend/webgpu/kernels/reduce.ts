// Reductions: one launch, or two if the results are too few to fill a device; then the first one computes partial results.
import { GatewiseError, show } from '../../../core/errors.ts';
import { sizeOf } from '../../../core/shape.ts';
import { collapse, denseView, type View } from '../../../core/view.ts';
import { Expr, inputName } from '../../../expr/expr.ts';
import type { Signature } from '../../../graph/value.ts';
import { reduceOp, splitAxes, type ReduceAttrs } from '../../../ops/structure.ts';
import type { Placed, Region } from '../../../plan/target.ts';
import { reduce as kernel } from '../../../../shaders/gen/reduce.ts';
import { dispatch, type Dispatch } from '../dispatch.ts';
import { MAX_BUFFERS } from './elementwise.ts';
import { defineKernel } from './kernel.ts';
import {
  expressionBody,
  gridFor,
  operandTable,
  shareBindings,
  type OperandUniform,
} from './wgsl_expression.ts';

const inputNames = ['in0', 'in1', 'in2', 'in3', 'in4', 'in5', 'in6'] as const;
/** The row of the table of operands that describes the result. */
const OUT = 7;

export const reduce = defineKernel(reduceOp, {
  readsStrided: () => true,
  // The kernel addresses two axes of the result, and strides of more axes may not merge.
  writesStrided: ({ axes }, [{ shape }]) => shape.length - axes.length <= 2,
  scratch: reduceScratch,
  expression: { inputs: inputNames.length, outputs: 1, buffers: MAX_BUFFERS - 1, canAddress: isReducible },
  dispatches: reduceDispatches,
});

/** Results that fill a device. */
const MANY_RESULTS = 16384;
/** Reduced elements of a result below which a second launch does not pay. */
const MIN_REDUCED = 64;

/** The number of partial results for each result. @param reduced The number of elements that a result reduces. */
function splitsFor(results: number, reduced: number): number {
  if (reduced < MIN_REDUCED || results >= MANY_RESULTS) return 1;
  return Math.max(1, Math.min(Math.ceil(Math.sqrt(reduced)), Math.ceil(MANY_RESULTS / results)));
}

function reduceScratch({ axes }: ReduceAttrs, [{ shape }]: readonly Signature[]): number[] {
  const reduced = sizeOf(shape.filter((_, axis) => axes.includes(axis)));
  const results = sizeOf(shape) / reduced;
  const splits = splitsFor(results, reduced);
  return splits === 1 ? [] : [splits * results];
}

function reduceDispatches({
  attrs,
  inputs,
  outputs: [out],
  scratch: [partial],
}: Placed<ReduceAttrs>): Dispatch[] {
  const { kind, axes, prologue } = attrs;
  const views = inputs.map(({ view }) => splitAxes(view, axes));
  const kept = mergeAxes([...views.map((v) => v.kept), out.view]);
  const reduced = mergeAxes(views.map((v) => v.reduced));
  const results = sizeOf(kept[0].shape);
  const operands = views.map((_, i) => ({ strides: stridesOf(kept[i], reduced[i]), offset: kept[i].offset }));
  const target = { strides: stridesOf(kept[inputs.length]), offset: out.view.offset };
  const launch = (
    from: readonly Region[],
    to: Region,
    uniforms: { rows: OperandUniform[]; target: OperandUniform; shape: [View, View] },
    expr: Expr,
    splits: number,
  ): Dispatch => {
    const { bindings, nameOf } = shareBindings(from, inputNames, [to], ['out']);
    const [x, y] = gridFor(results, 64);
    const body = expressionBody(
      [expr],
      (i) => `${nameOf(i)}[element_index(params.operands[${i}], at)]`,
      ([value]) => [`return ${value};`],
    );
    return dispatch(kernel, {
      bindings,
      constants: { MAXIMUM: kind === 'max' ? 1 : 0 },
      splices: { element: `fn element(at: vec4u) -> f32 {\n${body}\n}` },
      uniforms: {
        kept: two(uniforms.shape[0].shape),
        reduced: two(uniforms.shape[1].shape),
        splits,
        split_stride: results,
        operands: operandTable(8, new Map([...uniforms.rows.entries(), [OUT, uniforms.target]])),
      },
      workgroups: [x, y, splits],
    });
  };
  if (partial === undefined)
    return [launch(inputs, out, { rows: operands, target, shape: [kept[0], reduced[0]] }, prologue, 1)];
  const splits = sizeOf(partial.view.shape) / results;
  const [rows, columns] = two(kept[0].shape);
  // Partial results have the layout (splits, results).
  const partials: OperandUniform = { strides: [columns, 1, 0, results], offset: 0 };
  return [
    launch(
      inputs,
      partial,
      { rows: operands, target: { ...partials, strides: [columns, 1, 0, 0] }, shape: [kept[0], reduced[0]] },
      prologue,
      splits,
    ),
    launch(
      [partial],
      out,
      { rows: [partials], target, shape: [denseView([rows, columns]), denseView([splits])] },
      Expr.input(inputName(0)),
      1,
    ),
  ];
}

/** The number of kept axes, and of reduced axes, that the kernel addresses. */
const MAX_AXES = 2;

/** Whether the kernel can address these inputs and a dense result. */
function isReducible(inputs: readonly View[], axes: readonly number[] = []): boolean {
  const views = inputs.map((view) => splitAxes(view, axes));
  const result = denseView(views[0].kept.shape);
  return [[...views.map(({ kept }) => kept), result], views.map(({ reduced }) => reduced)].every(
    (group) => collapse(group)[0].shape.length <= MAX_AXES,
  );
}

/** Views of one shape with adjacent axes merged, at most MAX_AXES. */
function mergeAxes(views: readonly View[]): View[] {
  const collapsed = collapse(views);
  if (collapsed[0].shape.length > MAX_AXES)
    throw new GatewiseError(
      'internal',
      `reduce: expected at most ${MAX_AXES} axes after merging, got ${show(collapsed[0].shape)}`,
    );
  return collapsed;
}

/** The shape as two sizes, padded with a leading 1. */
const two = (shape: readonly number[]): [number, number] => [
  shape.length === 2 ? shape[0] : 1,
  shape.at(-1) ?? 1,
];

/** The strides of the two kept and the two reduced axes, 0 for an axis that a view does not have. */
function stridesOf(kept: View, reduced?: View): [number, number, number, number] {
  const pair = (view?: View): [number, number] => [
    view?.strides.length === 2 ? view.strides[0] : 0,
    view?.strides.at(-1) ?? 0,
  ];
  return [...pair(kept), ...pair(reduced)];
}
