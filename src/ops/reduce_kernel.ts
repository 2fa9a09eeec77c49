// How a reduction runs: the loops of the reference, and the kernel's one or two dispatches.
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { collapse, denseView, walk, type View } from '../core/view.ts';
import { evaluator } from '../expr/evaluate.ts';
import { Expr } from '../expr/expr.ts';
import { dispatch, type Dispatch, type Operand, type Region } from '../graph/launch.ts';
import type { Placed, Signature } from '../graph/value.ts';
import { reduce } from '../../shaders/gen/reduce.ts';
import {
  expressionBody,
  gridFor,
  inputName,
  operandTable,
  shareBindings,
  type OperandUniform,
} from './wgsl_expression.ts';

export interface ReduceAttrs {
  readonly kind: 'sum' | 'max';
  /** In rising order. */
  readonly axes: readonly number[];
  /** What is folded, over the inputs `in0`…; the inputs share a shape. */
  readonly prologue: Expr;
}

const inputNames = ['in0', 'in1', 'in2', 'in3', 'in4', 'in5', 'in6'] as const;
const OUT = 7;

/** The axes that stay and those that are folded, of one view. */
function parts(view: View, axes: readonly number[]): { kept: View; folded: View } {
  const pick = (wanted: boolean): View => {
    const chosen = view.shape.map((_, axis) => axis).filter((axis) => axes.includes(axis) === wanted);
    return {
      shape: chosen.map((axis) => view.shape[axis]),
      strides: chosen.map((axis) => view.strides[axis]),
      offset: 0,
    };
  };
  return { kept: { ...pick(false), offset: view.offset }, folded: pick(true) };
}

export function reduceCPU(
  { kind, axes, prologue }: ReduceAttrs,
  inputs: readonly Operand[],
  [out]: readonly Operand[],
): void {
  const evaluate = evaluator(
    [prologue],
    inputs.map((_, i) => inputName(i)),
  );
  const values = new Float64Array(inputs.length);
  const result = new Float64Array(1);
  const views = inputs.map(({ view }) => parts(view, axes));
  walk([out.view, ...views.map(({ kept }) => kept)], ([target, ...bases]) => {
    let total = kind === 'max' ? -Infinity : 0;
    walk(
      views.map(({ folded }) => folded),
      (offsets) => {
        inputs.forEach(({ data }, i) => (values[i] = data[bases[i] + offsets[i]]));
        evaluate(values, result);
        total = kind === 'max' ? Math.max(total, result[0]) : total + result[0];
      },
    );
    out.data[target] = total;
  });
}

/** How many partial results a result is folded from first; 1 where there are results enough to fill a device. */
function splitsFor(results: number, folded: number): number {
  if (folded < 64 || results >= 16384) return 1;
  return Math.max(1, Math.min(Math.ceil(Math.sqrt(folded)), Math.ceil(16384 / results)));
}

export function reduceScratch({ axes }: ReduceAttrs, [{ shape }]: readonly Signature[]): number[] {
  const folded = sizeOf(shape.filter((_, axis) => axes.includes(axis)));
  const results = sizeOf(shape) / folded;
  const splits = splitsFor(results, folded);
  return splits === 1 ? [] : [splits * results];
}

export function reduceGPU({
  attrs,
  inputs,
  outputs: [out],
  scratch: [partial],
}: Placed<ReduceAttrs>): Dispatch[] {
  const { kind, axes, prologue } = attrs;
  const views = inputs.map(({ view }) => parts(view, axes));
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
    return dispatch(reduce, {
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
  // Partial results lie as (splits, results).
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

/** The groups of axes that the kernel addresses: so many that stay, and so many that are folded. */
const MAX_GROUPS = 2;

/** Whether the kernel can walk these inputs and a dense result. The plan asks; a launch relies on it. */
export function isReducible(inputs: readonly View[], axes: readonly number[]): boolean {
  const views = inputs.map((view) => parts(view, axes));
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
