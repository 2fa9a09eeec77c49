// Scalar expressions evaluated element by element: arithmetic with broadcasting, activations, losses, optimizer updates.
import { broadcastShapes, sizeOf, type Shape } from '../core/shape.ts';
import {
  constantOf,
  countOperations,
  derivative,
  Expr,
  inputName,
  inputPosition,
  inputsOf,
  substitute,
} from '../expr/expr.ts';
import { applyAll, defineOp, expectValue, type Op, tensorArithmetic, type Value } from '../graph/value.ts';
import { broadcast } from './structure.ts';

export interface ElementwiseAttrs {
  /** One expression per output, over the inputs `in0`…, which all have the outputs' shape. */
  readonly exprs: readonly Expr[];
  /** The outputs' shape, if there are no inputs. */
  readonly shape: Shape;
  /** The step's label in a printed plan. */
  readonly label?: string;
}

export const elementwiseOp: Op<ElementwiseAttrs> = /* @__PURE__ */ defineOp({
  name: 'elementwise',
  summary: 'scalar expressions at every element, one for each output',
  infer: ({ exprs, shape }) => exprs.map(() => ({ shape, dtype: 'f32' })),
  inPlace: ({ exprs }, count) =>
    exprs.flatMap((_, output) =>
      Array.from({ length: count }, (_input, input) => ({ input, output, must: false })),
    ),
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
      // The gradient of a sum is its cotangent, unchanged.
      return 'input' in part.kind
        ? inputs[inputPosition(part.kind.input)]
        : elementwise([part], inputs, shape)[0];
    });
  },
  tolerance: { absolute: 1e-6, relative: 2e-5 },
});

/** Evaluates expressions over `in0`… at every element. Inputs broadcast to one shape; unread inputs are dropped. */
export function elementwise(
  exprs: readonly Expr[],
  inputs: readonly Value[],
  atLeast: Shape = [],
  label?: string,
): readonly Value[] {
  return evaluated(exprs, inputs, { atLeast, label, what: label ?? 'elementwise' });
}

interface Evaluation {
  readonly atLeast?: Shape;
  readonly label?: string | undefined;
  /** Names the operation in errors. */
  readonly what: string;
}

function evaluated(
  exprs: readonly Expr[],
  inputs: readonly Value[],
  { atLeast = [], label, what }: Evaluation,
): readonly Value[] {
  inputs.forEach((input) => expectValue(what, input, 'f32'));
  const shape = broadcastShapes(what, [atLeast, ...inputs.map((input) => input.shape)]);
  const { roots, used } = compactInputs(exprs, inputs);
  const attrs = { exprs: roots, shape, ...(label !== undefined && { label }) };
  return applyAll(
    elementwiseOp,
    attrs,
    used.map((input) => broadcast(input, shape)),
  );
}

/** Removes unread and duplicate inputs and renumbers the rest. */
export function compactInputs<T>(exprs: readonly Expr[], inputs: readonly T[]): { roots: Expr[]; used: T[] } {
  const read = new Set(exprs.flatMap((expr) => inputsOf([expr])));
  const used: T[] = [];
  const renamed = new Map<string, Expr>();
  inputs.forEach((input, i) => {
    if (!read.has(inputName(i))) return;
    const existing = used.indexOf(input);
    renamed.set(inputName(i), Expr.input(inputName(existing >= 0 ? existing : used.push(input) - 1)));
  });
  return { roots: substitute(exprs, renamed), used };
}

tensorArithmetic.apply = (op, args) => {
  const values = args.filter((arg): arg is Value => typeof arg !== 'number');
  let next = 0;
  const operands = args.map((arg) => (typeof arg === 'number' ? arg : Expr.input(inputName(next++))));
  return evaluated([Expr.operation(op, operands)], values, { what: op })[0];
};
