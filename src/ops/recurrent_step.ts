// Splits a single step of a cell in two: W_hh·h, which does not depend on the input, and the short rest: the input product and one
// expression per unit.
import { add } from '../expr/arith.ts';
import { Expr, inputName } from '../expr/expr.ts';
import { operandsOf } from '../graph/operands.ts';
import { isOp, type ExpressionSize, type Node, type Value } from '../graph/value.ts';
import { compactInputs, elementwise } from './elementwise.ts';
import { matmul } from './matmul.ts';
import type { RecurrentAttrs } from './recurrent_schedule.ts';
import { concatOp, reshape, reshapeOp, slice } from './structure.ts';

/**
 * The outputs of a single step of one pseudo-layer, without those that only training reads.
 * @param limits Of an elementwise launch.
 * @returns undefined if the update needs more than products of h with weights, or exceeds the limits.
 */
export function stepInParts(
  { attrs, inputs, outputs }: Node<RecurrentAttrs>,
  limits: ExpressionSize,
): readonly Value[] | undefined {
  const { cell, bias, masked, hidden, pseudoLayers } = attrs;
  const operands = operandsOf(attrs.operands, inputs);
  const [reserve] = operands.reserve;
  const [, steps, batch] = reserve.shape;
  const isPlain = !masked && !cell.dropsRecurrent && !cell.projects && operands.seed.length === 0;
  if (pseudoLayers > 1 || steps > 1 || !isPlain || operands.weights.length !== 1) return undefined;
  const { gates, recurrentGates, states } = cell;
  const width = gates.length * hidden;
  const products = reshape(inputProducts(reserve, width), [batch, width]);
  const initial = piecesOf(operands.initial[0], states.length, batch * hidden).map((state) =>
    reshape(state, [batch, hidden]),
  );
  const [vectors] = operands.vectors;
  const part = (value: Value, axis: number, at: number): Value =>
    slice(value, axis, at * hidden, (at + 1) * hidden);
  const withBias = (value: Value): Value =>
    bias ? add(value, slice(vectors, 0, 0, recurrentGates.length * hidden)) : value;
  const ofStates = matmul(initial[0], operands.weights[0], { transposeB: true });
  // If each gate is one sum, the epilogue of the input product adds all other terms.
  const summed = gates.every(({ kind }) => kind === 'sum');
  const recurrent = summed ? ofStates : withBias(ofStates);
  const inputPart = summed ? withBias(add(ofStates, products)) : products;

  const read: Value[] = [];
  const take = (value: Value): Expr => Expr.input(inputName(read.push(value) - 1));
  const gateInputs = gates.map((_, gate) => take(part(inputPart, 1, gate)));
  const gateProducts = recurrentGates.map((_, at) =>
    summed ? Expr.constant(0) : take(part(recurrent, 1, at)),
  );
  const before = initial.map(take);
  const first = bias ? recurrentGates.length : 0;
  const factors = cell.weights.map((_, w) => take(part(vectors, 0, first + w)));

  let isSimple = true;
  const other = (x: Expr): Expr => {
    isSimple = false;
    return x;
  };
  const after = cell.apply<Expr>({
    input: (gate) => gateInputs[gate],
    product: (at, x) => (x === before[0] ? gateProducts[at] : other(x)),
    state: (s) => before[s],
    weight: (w) => factors[w],
    keep: () => other(before[0]),
    mean: other,
    project: other,
    random: () => other(before[0]),
  });
  if (!isSimple) return undefined;
  // h is both the output and one of the states.
  const exprs = [after[0], ...after];
  const { used } = compactInputs(exprs, read);
  if (used.length > limits.inputs || exprs.length > limits.outputs) return undefined;
  const results = elementwise(exprs, read, [batch, hidden], `step of ${cell.name}`);
  const [, , output, ...finals] = outputs;
  // Nothing reads the first two outputs.
  return [reserve, reserve, ...[output, ...finals].map((own, i) => reshape(results[i], own.shape))];
}

/** The input products (1, B, G·H), at the start of the rows of a reserve (1, 1, B, row). */
function inputProducts(reserve: Value, width: number): Value {
  // Uses the product that the reserve was built from, if available, so that expressions can be fused into it.
  const made = isOp(reserve.node, reshapeOp) ? reserve.node.inputs[0] : reserve;
  if (made.shape.at(-1) === width) return made;
  const [product] = isOp(made.node, concatOp) ? made.node.inputs : [];
  return product?.shape.at(-1) === width ? product : slice(reserve, 3, 0, width);
}

/** Splits a flat value into the pieces of one size that it was concatenated from, if they have that size. */
function piecesOf(flat: Value, count: number, size: number): readonly Value[] {
  const { node } = flat;
  const isConcat = isOp(node, concatOp) && node.inputs.every(({ shape }) => shape[0] === size);
  if (isConcat && node.inputs.length === count) return node.inputs;
  return Array.from({ length: count }, (_, i) => slice(flat, 0, i * size, (i + 1) * size));
}
