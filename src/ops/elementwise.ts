// Any scalar expression, element by element: arithmetic with broadcasting, activations, losses, optimizer updates.
import { GatewiseError } from '../core/errors.ts';
import { broadcastShapes, sameShape, sizeOf, type Shape } from '../core/shape.ts';
import { walk, type View } from '../core/view.ts';
import { evaluator } from '../expr/evaluate.ts';
import { constantOf, derivative, Expr, inputsOf, substitute } from '../expr/expr.ts';
import { dispatch, type Dispatch, type Region } from '../graph/launch.ts';
import { defineOp, expectValue, tensorArithmetic, type Op, type Value } from '../graph/value.ts';
import { elementwise as kernel } from '../../shaders/gen/elementwise.ts';
import { apply, applyAll } from './apply.ts';
import { broadcast } from './structure.ts';
import {
  countOperations,
  expressionBody,
  four,
  gridFor,
  indexText,
  inputName,
  inputPosition,
  launchesOf,
  operandTable,
  operandUniform,
  shareBindings,
  type OperandUniform,
} from './wgsl_expression.ts';

export interface ElementwiseAttrs {
  /** One per output, over the inputs `in0`…, which all have the outputs' shape. */
  readonly exprs: readonly Expr[];
  /** The outputs' shape, for expressions without inputs. */
  readonly shape: Shape;
  /** What the plan calls it. */
  readonly label?: string;
}

export const MAX_ELEMENTWISE_BINDINGS = 8;
const inputNames = ['in0', 'in1', 'in2', 'in3', 'in4', 'in5', 'in6'] as const;
const outputNames = ['out0', 'out1', 'out2', 'out3'] as const;
export const MAX_ELEMENTWISE_INPUTS: number = inputNames.length;
export const MAX_ELEMENTWISE_OUTPUTS: number = outputNames.length;
const FIRST_OUTPUT = inputNames.length;

export const elementwiseOp: Op<ElementwiseAttrs> = /* @__PURE__ */ defineOp({
  name: 'elementwise',
  summary: 'a scalar expression at every element, with up to four outputs',
  infer: ({ exprs, shape }, inputs) => {
    if (exprs.length > outputNames.length || inputs.length > inputNames.length) {
      throw new GatewiseError(
        'unsupported',
        `elementwise: expected at most ${inputNames.length} inputs and ${outputNames.length} outputs, got ${inputs.length} and ${exprs.length}`,
      );
    }
    return exprs.map(() => ({ shape, dtype: 'f32' }));
  },
  readsStrided: () => true,
  writesStrided: true,
  inPlace: ({ exprs }) =>
    exprs.flatMap((_, output) => inputNames.map((_name, input) => ({ input, output, must: false }))),
  cpu: ({ exprs }, inputs, outputs) => {
    const evaluate = evaluator(
      exprs,
      inputs.map((_, i) => inputName(i)),
    );
    const values = new Float64Array(inputs.length);
    const results = new Float64Array(exprs.length);
    walk(
      [...outputs, ...inputs].map(({ view }) => view),
      (at) => {
        inputs.forEach(({ data }, i) => (values[i] = data[at[outputs.length + i]]));
        evaluate(values, results);
        outputs.forEach(({ data }, i) => (data[at[i]] = results[i]));
      },
    );
  },
  gpu: ({ attrs, inputs, outputs }) => elementwiseGPU(attrs, inputs, outputs),
  cost: ({ exprs, shape }) => countOperations(exprs) * sizeOf(shape),
  grad: (node, cotangents) => {
    const { exprs, shape } = node.attrs;
    const present = cotangents.flatMap((d, i) => (d === undefined ? [] : [{ d, root: exprs[i] }]));
    const seeds = present.map((_, i) => Expr.input(inputName(node.inputs.length + i)));
    const parts = derivative(
      present.map(({ root }) => root),
      seeds,
      node.inputs.map((_, i) => inputName(i)),
    );
    const inputs = [...node.inputs, ...present.map(({ d }) => d)];
    return parts.map((part) => {
      if (constantOf(part) === 0) return undefined;
      // A sum passes its cotangent on as it is.
      return 'input' in part.kind
        ? inputs[inputPosition(part.kind.input)]
        : elementwise([part], inputs, shape)[0];
    });
  },
  tolerance: { absolute: 1e-6, relative: 2e-5 },
});

/** Expressions over `in0`… at every element; inputs are broadcast to one shape. Inputs that none reads are left out. */
export function elementwise(
  exprs: readonly Expr[],
  inputs: readonly Value[],
  atLeast: Shape = [],
  label?: string,
): readonly Value[] {
  inputs.forEach((input) => expectValue(label ?? 'elementwise', input, 'f32'));
  const shape = broadcastShapes(label ?? 'elementwise', [atLeast, ...inputs.map((input) => input.shape)]);
  const { roots, used } = compactInputs(exprs, inputs);
  return applyAll(
    elementwiseOp,
    { exprs: roots, shape, ...(label === undefined ? {} : { label }) },
    used.map((input) => broadcast(input, shape)),
  );
}

/** Renumbers the inputs so that only those that are read remain, each once. */
export function compactInputs<T>(exprs: readonly Expr[], inputs: readonly T[]): { roots: Expr[]; used: T[] } {
  const read = new Set(exprs.flatMap((expr) => inputsOf([expr])));
  const used: T[] = [];
  const renamed = new Map<string, Expr>();
  inputs.forEach((input, i) => {
    if (!read.has(inputName(i))) return;
    const known = used.indexOf(input);
    renamed.set(inputName(i), Expr.input(inputName(known >= 0 ? known : used.push(input) - 1)));
  });
  return { roots: substitute(exprs, renamed), used };
}

/** The kernel's one dispatch, with a launch for each block of axes. */
function elementwiseGPU(
  { exprs }: ElementwiseAttrs,
  inputs: readonly Region[],
  outputs: readonly Region[],
): Dispatch[] {
  const launches = launchesOf([...outputs, ...inputs].map(({ view }) => view));
  // One text for all: it leaves out an offset only where that is 0 even in the last launch, whose offsets are largest.
  const views = launches[launches.length - 1];
  const { shape } = views[0];
  const { bindings, nameOf, outputNameOf } = shareBindings(inputs, inputNames, outputs, outputNames);
  const rows = (launch: readonly View[]): Map<number, OperandUniform> =>
    new Map(
      launch.map((view, i) => [
        i < outputs.length ? FIRST_OUTPUT + i : i - outputs.length,
        operandUniform(view),
      ]),
    );
  const body = expressionBody(
    exprs,
    (i) => `${nameOf(i)}[${indexText(i, views[outputs.length + i])}]`,
    (results) =>
      results.map((value, i) => `${outputNameOf(i)}[${indexText(FIRST_OUTPUT + i, views[i])}] = ${value};`),
  );
  return [
    dispatch(kernel, {
      bindings,
      constants: { RANK: Math.max(1, shape.length) },
      splices: { element: `fn element(at: vec4u) {\n${body}\n}` },
      uniforms: launches.map((launch) => ({
        dims: four(shape, 1),
        size: sizeOf(shape),
        operands: operandTable(inputNames.length + outputNames.length, rows(launch)),
      })),
      workgroups: gridFor(sizeOf(shape), 64),
    }),
  ];
}

/** `from` written to `to`, of the same shape. */
export function copyDispatch(from: Region, to: Region): Dispatch[] {
  return elementwiseGPU({ exprs: [Expr.input(inputName(0))], shape: to.view.shape }, [from], [to]);
}

tensorArithmetic.apply = (op, args) => {
  const values = args.filter((arg): arg is Value => typeof arg !== 'number');
  for (const value of values) expectValue(op, value, 'f32');
  const shape = broadcastShapes(
    op,
    values.map((value) => value.shape),
  );
  let next = 0;
  const operands = args.map((arg) => (typeof arg === 'number' ? arg : Expr.input(inputName(next++))));
  const { roots, used } = compactInputs([Expr.operation(op, operands)], values);
  return apply(
    elementwiseOp,
    { exprs: roots, shape },
    used.map((value) => (sameShape(value.shape, shape) ? value : broadcast(value, shape))),
  );
};
