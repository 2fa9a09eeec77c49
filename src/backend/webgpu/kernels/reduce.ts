// Reductions: one launch, or two if there are too few results to fill a device; the first of two computes partial results.
import { GatewiseError, show } from '../../../core/errors.ts';
import { sizeOf } from '../../../core/shape.ts';
import { collapse, denseView, type View } from '../../../core/view.ts';
import { Expr } from '../../../expr/expr.ts';
import { inputName } from '../../../expr/operands.ts';
import type { Signature } from '../../../graph/value.ts';
import { reduceOp, splitAxes, type ReduceAttrs } from '../../../ops/structure.ts';
import type { Placed, Region } from '../../../plan/region.ts';
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
const OUT = 7;

export const reduce = defineKernel(reduceOp, {
  readsStrided: () => true,
  // A strided result with three or more axes could exceed the axis groups that the kernel addresses.
  writesStrided: ({ axes }, [{ shape }]) => shape.length - axes.length <= 2,
  scratch: reduceScratch,
  expression: { inputs: inputNames.length, outputs: 1, buffers: MAX_BUFFERS - 1, walks: isReducible },
  dispatches: reduceDispatches,
});

/** Partial results per result; 1 if the results alone fill a device. */
function splitsFor(results: number, folded: number): number {
  if (folded < 64 || results >= 16384) return 1;
  return Math.max(1, Math.min(Math.ceil(Math.sqrt(folded)), Math.ceil(16384 / results)));
}

function reduceScratch({ axes }: ReduceAttrs, [{ shape }]: readonly Signature[]): number[] {
  const folded = sizeOf(shape.filter((_, axis) => axes.includes(axis)));
  const results = sizeOf(shape) / folded;
  const splits = splitsFor(results, folded);
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
  const kept = pair([...views.map((v) => v.kept), out.view]);
  const folded = pair(views.map((v) => v.folded));
  const results = sizeOf(kept[0].shape);
  const operands = views.map((_, i) => ({ strides: join(kept[i], folded[i]), offset: kept[i].offset }));
  const target = { strides: join(kept[inputs.length]), offset: out.view.offset };
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
    return [launch(inputs, out, { rows: operands, target, shape: [kept[0], folded[0]] }, prologue, 1)];
  const splits = sizeOf(partial.view.shape) / results;
  const [rows, columns] = two(kept[0].shape);
  // Layout of partial results: (splits, results).
  const partials: OperandUniform = { strides: [columns, 1, 0, results], offset: 0 };
  const flat = denseView([rows, columns]);
  return [
    launch(
      inputs,
      partial,
      { rows: operands, target: { ...partials, strides: [columns, 1, 0, 0] }, shape: [kept[0], folded[0]] },
      prologue,
      splits,
    ),
    launch(
      [partial],
      out,
      { rows: [partials], target, shape: [flat, denseView([splits])] },
      Expr.input(inputName(0)),
      1,
    ),
  ];
}

/** The most axis groups that the kernel addresses, both of remaining and of reduced axes. */
const MAX_GROUPS = 2;

/** Whether the kernel can walk these inputs with a dense result. */
function isReducible(inputs: readonly View[], axes: readonly number[] = []): boolean {
  const views = inputs.map((view) => splitAxes(view, axes));
  const result = denseView(views[0].kept.shape);
  return [[...views.map(({ kept }) => kept), result], views.map(({ folded }) => folded)].every(
    (group) => collapse(group)[0].shape.length <= MAX_GROUPS,
  );
}

function pair(views: readonly View[]): View[] {
  const collapsed = collapse(views);
  if (collapsed[0].shape.length > MAX_GROUPS)
    throw new GatewiseError(
      'internal',
      `reduce: expected at most ${MAX_GROUPS} groups of axes, got ${show(collapsed[0].shape)}`,
    );
  return collapsed;
}

const two = (shape: readonly number[]): [number, number] => [
  shape.length === 2 ? shape[0] : 1,
  shape.at(-1) ?? 1,
];

function join(kept: View, folded?: View): [number, number, number, number] {
  const strides = (view?: View): [number, number] => [
    view?.strides.length === 2 ? view.strides[0] : 0,
    view?.strides.at(-1) ?? 0,
  ];
  return [...strides(kept), ...strides(folded)];
}
