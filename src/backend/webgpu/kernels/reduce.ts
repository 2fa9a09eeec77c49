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
import { expressionBody, gridFor, shareBindings, type OperandUniform } from './wgsl_expression.ts';

const inputNames = ['in0', 'in1', 'in2', 'in3', 'in4', 'in5', 'in6'] as const;

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
  attrs: { kind, axes, prologue },
  inputs,
  outputs: [out],
  scratch: [partial],
}: Placed<ReduceAttrs>): Dispatch[] {
  const views = inputs.map(({ view }) => splitAxes(view, axes));
  const kept = mergeAxes([...views.map((v) => v.kept), out.view]);
  const reduced = mergeAxes(views.map((v) => v.reduced));
  const results = sizeOf(kept[0].shape);
  const [rows, columns] = two(kept[0].shape, 1);
  /** @param operands The result, then the inputs. @param count The reduced sizes. */
  const launch = (
    from: readonly Region[],
    to: Region,
    operands: readonly OperandUniform[],
    count: readonly [number, number],
    expr: Expr,
    splits: number,
  ): Dispatch => {
    const { bindings, nameOf } = shareBindings(from, inputNames, [to], ['out']);
    const [x, y] = gridFor(results, 64);
    const body = expressionBody(
      [expr],
      (i) => `${nameOf(from[i])}[element_index(params.operands[${i + 1}], at)]`,
      ([value]) => [`return ${value};`],
    );
    return dispatch(kernel, {
      bindings,
      constants: { MAXIMUM: kind === 'max' ? 1 : 0 },
      splices: { element: `fn element(at: vec4u) -> f32 {\n${body}\n}` },
      uniforms: { kept: [rows, columns], reduced: count, splits, split_stride: results, operands },
      workgroups: [x, y, splits],
    });
  };
  const uniform = (i: number): OperandUniform => ({
    strides: [...two(kept[i].strides, 0), ...two(reduced[i]?.strides ?? [], 0)],
    offset: kept[i].offset,
  });
  const sources = inputs.map((_, i) => uniform(i));
  const target = uniform(inputs.length);
  const count = two(reduced[0].shape, 1);
  if (partial === undefined) return [launch(inputs, out, [target, ...sources], count, prologue, 1)];
  const splits = sizeOf(partial.view.shape) / results;
  // Partial results have the layout (splits, results).
  const partials = (split: number): OperandUniform => ({ strides: [columns, 1, 0, split], offset: 0 });
  return [
    launch(inputs, partial, [partials(0), ...sources], count, prologue, splits),
    launch([partial], out, [target, partials(results)], [1, splits], Expr.input(inputName(0)), 1),
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

/** A list of up to two numbers, padded in front. */
const two = (list: readonly number[], fill: number): [number, number] => [
  list.at(-2) ?? fill,
  list.at(-1) ?? fill,
];
