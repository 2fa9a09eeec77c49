// The update of a cell as scalar expressions over places, and its checks.
import { add } from '../expr/arith.ts';
import { Expr, MEAN, topological } from '../expr/expr.ts';
import type { CellParts, Fail, Source } from './declaration.ts';
import { Place, weightPart, type WeightPart } from './places.ts';
import type { Width, Widths } from './widths.ts';

export interface ProgramOptions {
  /** Whether there is a `bias_hh`. */
  readonly bias: boolean;
  /** Whether steps may be masked. */
  readonly masked: boolean;
  /** Whether pseudo-layers are stacked layers: a step then multiplies h of the layer below by `weight_ih` itself. */
  readonly wavefront?: boolean;
}

/** A matrix and a vector that it multiplies. */
export type MatrixTerm = readonly [map: WeightPart, vector: Expr];

export const sumOf = (terms: readonly MatrixTerm[]): Expr =>
  Expr.across(
    terms.map(([map]) => map),
    terms.map(([, vector]) => vector),
  );

/** A product of the update with one part of a matrix: a term of `sum`. */
export interface UpdateProduct {
  readonly map: WeightPart;
  readonly sum: Expr;
  readonly source: Expr;
}

/** An update as expressions over places. */
export interface Update {
  /** The new states. */
  readonly after: readonly Expr[];
  readonly products: readonly UpdateProduct[];
  /** For each gate its input part, and its pre-activation or, if it is kept apart, its recurrent part. */
  readonly gates: readonly { readonly input: Expr; readonly value: Expr }[];
  readonly draws: number;
}

const SIZES: Readonly<Record<Width, string>> = { hidden: 'hidden', projection: 'projected' };
const BELOW = Place.of('below').expr;

/** Whether a wavefront computes both products of a gate as one sum: if the gate adds its two parts. */
const isJoint = ({ gates }: CellParts, gate: number): boolean => ['sum', 'late'].includes(gates[gate].kind);

export function traceUpdate(cell: CellParts, { bias, wavefront = false }: ProgramOptions): Update {
  const all: UpdateProduct[] = [];
  const recurrentParts = new Map<number, Expr>();
  let draws = 0;
  const multiply = (...terms: readonly MatrixTerm[]): Expr => {
    const sum = sumOf(terms);
    for (const [map, source] of terms) all.push({ map, sum, source });
    return sum;
  };
  // In a wavefront a gate's input part is its slot plus the product with h of the layer below.
  const inputPart = (gate: number): Expr => {
    const slot = Place.of('slot', gate).expr;
    return wavefront && !isJoint(cell, gate) ? add(slot, multiply([weightPart('ih', gate), BELOW])) : slot;
  };
  const source: Source<Expr> = {
    input: inputPart,
    product: (part, x) => {
      const gate = cell.recurrentGates[part];
      const input: MatrixTerm[] = wavefront && isJoint(cell, gate) ? [[weightPart('ih', gate), BELOW]] : [];
      const sum = multiply([weightPart('hh', part), x], ...input);
      const value = bias ? add(sum, Place.of('bias', part).expr) : sum;
      recurrentParts.set(gate, value);
      return value;
    },
    state: (s) => Place.of('state', s).expr,
    weight: (w) => Place.of('weight', w).expr,
    keep: () => Place.of('keep').expr,
    mean: (x) => Expr.across([MEAN], [x]),
    project: (x) => multiply([weightPart('hr'), x]),
    random: () => Place.of('noise', draws++).expr,
  };
  const after = cell.apply(source);
  const gates = cell.gates.map(({ kind }, g) => {
    const [input, recurrent] = [inputPart(g), recurrentParts.get(g)];
    if (recurrent === undefined) return { input, value: input };
    return { input, value: kind === 'apart' ? recurrent : add(input, recurrent) };
  });
  const live = new Set(topological(after));
  const products = all.filter(
    ({ sum, map }, i) =>
      live.has(sum) && all.findIndex((other) => other.sum === sum && other.map.matrix === map.matrix) === i,
  );
  return { after, products, gates, draws };
}

/** Throws if the update computes with numbers that are not finite in float32, or leaves a gate or a weight unread. */
export function checkReads(cell: CellParts, { after, gates }: Update, fail: Fail): void {
  const live = new Set(topological(after));
  for (const { kind } of live) {
    if ('constant' in kind && !Number.isFinite(Math.fround(kind.constant)))
      fail(
        `update computes with ${kind.constant}; expected numbers that are finite in float32, and words for arithmetic: JavaScript's operators do not work on gates and states, so write sub(1, a) for 1 - a`,
      );
  }
  cell.gates.forEach(({ name }, g) => {
    if (!live.has(gates[g].value) && !live.has(gates[g].input))
      fail(`update never reads the gate ${JSON.stringify(name)}; use it or leave it out of gates`);
  });
  cell.weights.forEach(({ name }, w) => {
    if (!live.has(Place.of('weight', w).expr))
      fail(`update never reads the weight ${JSON.stringify(name)}; use it or leave it out of weights`);
  });
}

/** Throws if a state or the vector of a product has the wrong number of units. */
export function checkWidths(cell: CellParts, { after, products }: Update, widths: Widths, fail: Fail): void {
  if (cell.projects && !products.some(({ map }) => map.matrix === 'hr'))
    fail('update never projects; call project(x) or leave out projects');
  after.forEach((value, s) => {
    const expected = widths.states[s];
    const width = widths.at(value) ?? expected;
    if (width !== expected)
      fail(
        `update returns the state ${JSON.stringify(cell.states[s])} with the ${SIZES[width]} size; expected the ${SIZES[expected]} size`,
      );
  });
  for (const { map, source } of products) {
    const { depth } = widths.of(map);
    const width = widths.at(source) ?? depth;
    if (width !== depth)
      fail(
        `update gives weight_${map.matrix} a vector of the ${SIZES[width]} size; expected the ${SIZES[depth]} size`,
      );
  }
}
