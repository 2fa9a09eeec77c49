// A single step of a cell in two parts: what its weights make of the states, which waits for no input, and the rest, which is
// short then: the product of the input and one expression over each unit. For streams, in which the states are there long
// before the next input is.
import type { Cell } from '../cells/cell.ts';
import { add } from '../expr/arith.ts';
import { Expr } from '../expr/expr.ts';
import type { Value } from '../graph/value.ts';
import { compactInputs, elementwise } from './elementwise.ts';
import { weightProduct } from './fake_quantize.ts';
import type { RecurrentWeights, SequenceResult } from './recurrent_layer.ts';
import { reshape, slice } from './structure.ts';
import type { WeightPrecision } from './weight_precision.ts';
import { inputName } from '../expr/operands.ts';

/**
 * @param products (1, B, G·H): the input part of every gate, its bias included.
 * @param initial (1, B, H) for each state.
 * @returns undefined where the update needs more than products of h with weights, or more than one kernel reads.
 */
export function stepOfParts(
  cell: Cell,
  products: Value,
  weights: RecurrentWeights,
  initial: readonly Value[],
  precision: WeightPrecision = 'float32',
): SequenceResult | undefined {
  const { gates, recurrentGates, states } = cell;
  const { hh, bias, units = {} } = weights;
  if (hh === undefined || cell.projects || cell.dropsRecurrent) return undefined;
  const [, batch, width] = products.shape;
  const hidden = width / gates.length;
  const rows = (value: Value): Value => reshape(value, [batch, -1]);
  const ofStates = weightProduct(rows(initial[0]), hh, precision);
  const withBias = (value: Value): Value => (bias === undefined ? value : add(value, bias));
  // Where each gate is one sum, the product of the input adds up all of it: of two products in a sum the later one does.
  const summed = gates.every(({ kind }) => kind === 'sum');
  const recurrent = summed ? ofStates : withBias(ofStates);
  const inputPart = summed ? withBias(add(ofStates, rows(products))) : rows(products);
  const part = (value: Value, at: number): Value => slice(value, 1, at * hidden, (at + 1) * hidden);

  const inputs: Value[] = [];
  const take = (value: Value): Expr => Expr.input(inputName(inputs.push(value) - 1));
  const gateInputs = gates.map((_, gate) => take(part(inputPart, gate)));
  const gateProducts = summed
    ? recurrentGates.map(() => Expr.constant(0))
    : recurrentGates.map((_, at) => take(part(recurrent, at)));
  const before = states.map((_, s) => take(rows(initial[s])));
  const factors = cell.weights.map(({ name }) => take(units[name]));

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
  // h twice: as the output, and beside the other states.
  const exprs = [after[0], ...after];
  const { used } = compactInputs(exprs, inputs);
  if (used.length > 7 || exprs.length > 4) return undefined;
  const [output, ...finals] = elementwise(exprs, inputs, [batch, hidden], `step of ${cell.name}`);
  return {
    output: reshape(output, [1, batch, 1, hidden]),
    finals: finals.map((state) => reshape(state, [1, batch, hidden])),
  };
}
