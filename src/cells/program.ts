// The program of a cell: its forward and its backward step as phases over places. Reverse mode derives the backward step from the
// cell's update. The kernels and the reference run this program and nothing else of a cell.
import { add } from '../expr/arith.ts';
import { cotangents, Expr, rewrite, topological } from '../expr/expr.ts';
import type { CellParts, Fail } from './declaration.ts';
import { PhaseCutter, movePlaces, readsOf, type Phase, type PhaseRules, type Root } from './phases.ts';
import { isVector, type MatrixName, Place, placeOf, placesIn, weightPartsOf } from './places.ts';
import {
  checkReads,
  checkWidths,
  sumOf,
  traceUpdate,
  type MatrixTerm,
  type ProgramOptions,
  type Update,
  type UpdateProduct,
} from './update.ts';
import { type Width, Widths } from './widths.ts';

/** A product of the update. The gradient of its weights is the outer product of `gradient` and `source`, summed over rows. */
export interface WeightProduct {
  readonly matrix: MatrixName;
  /** Which gate's rows of the matrix. */
  readonly part: number;
  /** The vector: a slot, a state before the step, or h of the layer below. */
  readonly source: Place;
  /** Whether the product reads the vector times the factors of variational dropout. */
  readonly dropped: boolean;
  /** The slot that holds the gradient of its result after the backward loop. */
  readonly gradient: number;
}

export interface CellProgram {
  readonly stateWidths: readonly Width[];
  /** The widths of the slots of a row of the reserve space. */
  readonly slots: readonly Width[];
  /** Whether the backward step or the weights' gradients read activations that the forward step saves. */
  readonly savesActivations: boolean;
  readonly forward: readonly Phase[];
  /** The forward step without the writes that only a backward step reads. */
  readonly inference: readonly Phase[];
  readonly backward: readonly Phase[];
  readonly products: readonly WeightProduct[];
  /** The slots of the gradients of the gates' input parts, and of the weights of one number per unit. */
  readonly inputGradients: readonly number[];
  readonly weightGradients: readonly number[];
  /** Random numbers drawn for each step, row and unit. */
  readonly draws: number;
}

const ZERO = Expr.constant(0);

export function makeProgram(cell: CellParts, options: ProgramOptions, fail: Fail): CellProgram {
  const stateWidths = cell.states.map((_, s): Width => (cell.projects && s === 0 ? 'projection' : 'hidden'));
  const slots = cell.gates.map((): Width => 'hidden');
  const widths = new Widths(fail, slots, stateWidths);
  const active = options.masked ? Place.of('active').expr : undefined;

  const update = traceUpdate(cell, options);
  checkReads(cell, update, fail);
  checkWidths(cell, update, widths, fail);
  const saved = placeActivations(cell, update, widths);
  const derivative = differentiate(cell, update, saved);
  const draft = backwardPhases(derivative, widths, active);
  const gradients = assignSlots(update, saved, derivative, draft, widths);
  const backward = movePlaces(draft, (place) => gradients.slots.get(place) ?? place);
  const sources = update.products.map(({ source }) => sourcePlace(source, saved));
  const read = new Set([...readsOf(backward).map(({ place }) => place), ...sources]);
  return {
    ...forwardPhases(update, saved, read, widths, active),
    stateWidths,
    slots,
    savesActivations: [...read].some(({ kind }) => kind === 'slot'),
    backward,
    products: update.products.map(({ map: { matrix, part }, source }, v) => ({
      matrix,
      part,
      source: sources[v],
      dropped: isVector(source) && placeOf(source) === undefined,
      gradient: gradients.products[v],
    })),
    inputGradients: gradients.inputs,
    weightGradients: gradients.weights,
    draws: update.draws,
  };
}

/** The places of values of the forward step that a later phase or the backward step may read. */
type Places = ReadonlyMap<Expr, Place>;

function placeActivations(cell: CellParts, { after, products, gates }: Update, widths: Widths): Places {
  const places = new Map<Expr, Place>();
  gates.forEach(({ input, value }, g) => {
    const isApart = cell.gates[g].kind === 'apart';
    const slot = Place.of('slot', g);
    if (isApart && weightPartsOf(productIn(value)) !== undefined) places.set(value, widths.allocate(value));
    else if (placeOf(value) === undefined) places.set(value, slot);
    if (isApart && placeOf(input) === undefined) places.set(input, slot);
  });
  after.forEach((value, s) => {
    if (placeOf(value) === undefined && !('constant' in value.kind) && !places.has(value))
      places.set(value, Place.of('after', s));
  });
  // The gradient of a product's weights reads its vector again.
  for (const { source } of products)
    if (!isVector(source) && places.get(source)?.kind !== 'slot') places.set(source, widths.allocate(source));
  for (const { map, sum } of products)
    if (map.matrix === 'hr' && !places.has(sum)) places.set(sum, widths.allocate(sum));
  return places;
}

/** The product within the value of a gate; the value itself where there is none. */
function productIn(value: Expr): Expr {
  return topological([value]).findLast((expr) => weightPartsOf(expr) !== undefined) ?? value;
}

/** The place of the vector that a product reads; for h times factors, the place of h. */
const sourcePlace = (source: Expr, saved: Places): Place => saved.get(source) ?? placesIn([source])[0];

const statesIn = (expr: Expr): number[] =>
  placesIn([expr]).flatMap(({ kind, index }) => (kind === 'state' ? [index] : []));

/** The derivative of an update, as expressions over places of the backward step. */
type Derivative = ReturnType<typeof differentiate>;

const OUTPUT = Place.of('output').expr;

/**
 * Whether the step processed next computes the gradient of a product's vector. For a vector of states it needs the gradients of
 * all units: the step processed next finds them in the reserve space, while this step would need one more phase.
 */
const isDeferred = ({ source }: UpdateProduct): boolean => isVector(source) && statesIn(source).length > 0;

/** Reverse mode over one step. */
function differentiate(cell: CellParts, { after, products }: Update, saved: Places) {
  // What the layer above passes down: its gates' gradients at the same step, times the transpose of its weight_ih.
  const passed = transposed(products, ({ map }) => map.matrix === 'ih', 'gradientAbove');
  const states = cell.states.map((_, s) => Place.of('state', s).expr);
  const incoming = states.map((state, s) => incomingGradient(state, s, products, s === 0 ? passed : []));
  const deferred = new Set(products.filter(isDeferred).map(({ sum }) => sum));
  const cotangent = cotangents(after, incoming, deferred);
  const atPlaces = (exprs: readonly Expr[]): Expr[] => rewrite(exprs, (expr) => saved.get(expr)?.expr);
  const sums = products.map(({ sum }) => sum);
  const inputs = cell.gates.map((_, g) => Place.of('slot', g).expr);
  const weights = cell.weights.map((_, w) => Place.of('weight', w).expr);
  const all = atPlaces([...sums, ...inputs, ...weights].map(cotangent));
  const gradients = [...new Set(all)];
  const places = all.map((gradient) => Place.of('gradient', gradients.indexOf(gradient)));
  const arriving = atPlaces(incoming);
  return {
    /** The gradient of each state after the step. */
    arriving,
    /** The gradient of each state before the step, without the deferred products. */
    outgoing: atPlaces(states.map(cotangent)),
    /** After the last step processed, the gradient of each initial state; undefined where the carry holds it. */
    initial: arriving.map((value, s) => {
      const [rest] = rewrite([value], (expr) =>
        expr === OUTPUT || expr === sumOf(passed) ? ZERO : undefined,
      );
      return rest === Place.of('carry', s).expr ? undefined : rest;
    }),
    /** The distinct gradients of sums of products, input parts and weights; the place `gradientN` stands for number N. */
    gradients,
    /** The places of the gradient of each product, input part and weight. */
    products: places.slice(0, sums.length),
    inputs: places.slice(sums.length, sums.length + inputs.length),
    weights: places.slice(sums.length + inputs.length),
  };
}

/** Products of transposed weights and the gradients of some products, which lie in the rows of another step or layer. */
const transposed = (
  products: readonly UpdateProduct[],
  isIncluded: (product: UpdateProduct) => boolean,
  kind: 'gradientNext' | 'gradientAbove',
): MatrixTerm[] =>
  products.flatMap((product, v): MatrixTerm[] =>
    isIncluded(product) ? [[product.map.adjoint(), Place.of(kind, v).expr]] : [],
  );

/**
 * The gradient of a state after the step: the carry, for h that of the output, and the products that the step processed before
 * has deferred. @param passed What the layer above passes down: one sum with the deferred products of h.
 */
function incomingGradient(
  state: Expr,
  s: number,
  products: readonly UpdateProduct[],
  passed: readonly MatrixTerm[],
): Expr {
  const carry = Place.of('carry', s).expr;
  const own = s === 0 ? add(carry, OUTPUT) : carry;
  const sources = products.filter(isDeferred).map(({ source }) => source);
  const reading = new Set(sources.filter((source) => statesIn(source).includes(s)));
  const total = [...reading].reduce((sum, source) => {
    const terms = transposed(products, (product) => product.source === source, 'gradientNext');
    const through = sumOf(source === state ? [...terms, ...passed] : terms);
    return add(sum, cotangents([source], [through])(state));
  }, own);
  return passed.length === 0 || reading.has(state) ? total : add(total, sumOf(passed));
}

/** The backward step, whose gradients have no slots yet. */
function backwardPhases(
  { arriving, outgoing, initial, gradients }: Derivative,
  widths: Widths,
  active: Expr | undefined,
): Phase[] {
  const roots: Root[] = [
    ...gradients.map((value, i): Root => ({ to: Place.of('gradient', i), value, masked: ZERO })),
    ...outgoing.map((value, s): Root => ({
      to: Place.of('carry', s),
      value,
      masked: arriving[s],
      last: true,
    })),
    ...initial.flatMap((value, s): Root[] =>
      value === undefined ? [] : [{ to: Place.of('carry', s), value, finish: true }],
    ),
  ];
  gradients.forEach((value, i) => widths.define(Place.of('gradient', i), widths.at(value)));
  const products = topological(roots.map(({ value }) => value)).filter(
    (expr) => weightPartsOf(expr) !== undefined,
  );
  const cutter = new PhaseCutter({
    saved: new Set([...arriving.filter((expr) => placeOf(expr) === undefined), ...products]),
    places: new Map(),
    always: new Set(arriving),
    widths,
    active,
  });
  return cutter.cut(roots);
}

/**
 * Chooses a slot for each gradient: that of an activation which no later phase reads, else a new one. In the phase that reads a
 * slot last, a unit can overwrite its own element, unless other units read the slot in that phase.
 * @returns The slots of places that stand for gradients, and their numbers for each product, input part and weight.
 */
function assignSlots(
  { products, gates }: Update,
  saved: Places,
  derivative: Derivative,
  phases: readonly Phase[],
  widths: Widths,
) {
  const reads = readsOf(phases);
  const taken = new Set(products.map(({ source }) => sourcePlace(source, saved)));
  const isFree = (slot: Place, gradient: Place): boolean => {
    const written = phases.findIndex(({ writes }) => writes.some(({ to }) => to === gradient));
    const isRead = reads.some(
      ({ place, phase, across }) => place === slot && (across ? phase >= written : phase > written),
    );
    return !taken.has(slot) && !isRead;
  };
  const slots = new Map<Place, Place>();
  const assign = (gradient: Place, ...candidates: readonly (Place | undefined)[]): number => {
    const slot =
      slots.get(gradient) ??
      candidates.find((place) => place?.kind === 'slot' && isFree(place, gradient)) ??
      widths.allocate(derivative.gradients[gradient.index]);
    slots.set(gradient, slot);
    taken.add(slot);
    return slot.index;
  };
  return {
    slots,
    products: products.map(({ map, sum }, v) => {
      const isInput = map.matrix === 'ih' && weightPartsOf(sum)?.length === 1;
      const gate = gates.find(({ value }) => productIn(value) === sum);
      const input = isInput ? Place.of('slot', map.part) : undefined;
      const slot = assign(derivative.products[v], input, gate && saved.get(gate.value));
      // The same slot in the rows of the following step and of the layer above.
      slots.set(Place.of('gradientNext', v), Place.of('following', slot));
      slots.set(Place.of('gradientAbove', v), Place.of('above', slot));
      return slot;
    }),
    inputs: derivative.inputs.map((gradient, g) => assign(gradient, Place.of('slot', g))),
    weights: derivative.weights.map((gradient) => assign(gradient)),
  };
}

/** The forward step that saves what the backward pass reads, and the one that saves nothing. */
function forwardPhases(
  { after }: Update,
  saved: Places,
  read: ReadonlySet<Place>,
  widths: Widths,
  active: Expr | undefined,
): Pick<CellProgram, 'forward' | 'inference'> {
  const states = after.map((value, s): Root => ({
    to: Place.of('after', s),
    value,
    masked: Place.of('state', s).expr,
  }));
  const activations = [...saved].flatMap(([value, to]): Root[] =>
    to.kind === 'slot' && read.has(to) ? [{ to, value, masked: ZERO }] : [],
  );
  // Both forms use the same slots for what a later phase of the step reads.
  const rules: PhaseRules = {
    saved: new Set(saved.keys()),
    places: new Map(saved),
    always: new Set(),
    widths,
    active,
  };
  return {
    forward: new PhaseCutter(rules).cut([...states, ...activations]),
    inference: new PhaseCutter(rules).cut(states),
  };
}
