// The reference of the recurrent loops, for any cell: interprets a schedule by step, phase, row and unit, with float64
// accumulation.
import type { Phase, Term, Write } from '../../../cells/phases.ts';
import { Place, placeOf, placesIn } from '../../../cells/places.ts';
import { philox, unitUniform } from '../../../core/random.ts';
import { evaluator, type Evaluate } from '../../../expr/evaluate.ts';
import type { Expr } from '../../../expr/expr.ts';
import { operandsOf } from '../../../graph/operands.ts';
import { inferenceForm, recurrentBackwardOp, recurrentOp, TRAINING_OUTPUTS } from '../../../ops/recurrent.ts';
import {
  matrixOf,
  RecurrentLayout,
  stridesOf,
  timeIndex,
  type Address,
  type RecurrentAttrs,
  type Strides,
  type TensorName,
} from '../../../ops/recurrent_schedule.ts';
import { roundedMatrix } from './fake_quantize.ts';
import { defineKernel, type Operand } from './kernel.ts';

/** One row of one step of one pseudo-layer; places are relative to it. */
interface StepRow {
  readonly layer: number;
  /** The step, counted in processing order; -1 after the backward loop. */
  readonly order: number;
  readonly row: number;
}

/** A resolved place: element `at + unit` of `data`; undefined where the value is 0. */
interface Elements {
  readonly data: { [index: number]: number };
  readonly at: number;
}

type Tensors = Readonly<Partial<Record<TensorName, Operand | undefined>>> & { readonly reserve: Operand };

/** Where the loop reads the initial states: in `states`, nowhere since they are zero, or in the argument (a single step). */
type Initial = 'in memory' | 'zero' | 'as given';

/** Resolves a place in a step; undefined if the step, layer or tensor does not exist, so that the value is 0. */
type Locate = (place: Place, step: StepRow) => Elements | undefined;

function locator(layout: RecurrentLayout, tensors: Tensors, initial: Initial): Locate {
  const [, steps, batch] = tensors.reserve.view.shape;
  const sizes = { steps, batch, times: layout.stateTimes(steps) };
  const known = new Map<Place, { readonly address: Address; readonly strides: Strides }>();
  const addressOf = (place: Place) => {
    const cached = known.get(place);
    if (cached !== undefined) return cached;
    const address = layout.addressOf(place);
    const numeric = { address, strides: stridesOf(address, sizes) };
    known.set(place, numeric);
    return numeric;
  };
  const locate: Locate = (place, step) => {
    if (place.kind === 'state') {
      if (initial === 'as given') return locate(Place.of('carry', place.index), step);
      if (initial === 'zero' && step.order === 0) return undefined;
    }
    const { address, strides } = addressOf(place);
    const times = address.tensor === 'states' ? sizes.times : steps;
    const tensor = tensors[address.tensor];
    const layer = step.layer + address.layer;
    const count = step.order + address.step;
    if (tensor === undefined || layer < 0 || layer >= layout.pseudoLayers) return undefined;
    if (strides.time > 0 && (count < 0 || (count >= times && address.order !== 'ring'))) return undefined;
    // In a wavefront the output is only the last layer's.
    const first = address.tensor === 'output' ? layout.pseudoLayers - layout.outputs : 0;
    if (layer < first) return undefined;
    const time = timeIndex(address, layer, count, times);
    const at = strides.base + strides.layer * (layer - first) + strides.time * time + strides.row * step.row;
    return { data: tensor.data, at: tensor.view.offset + at };
  };
  return locate;
}

/** Expressions over places, which are evaluated at each of some units. */
interface Compiled {
  readonly units: number;
  readonly inputs: readonly Place[];
  readonly evaluate: Evaluate;
  readonly results: Float64Array;
}

function compile(roots: readonly Expr[], units: number): Compiled {
  const inputs = placesIn(roots);
  const evaluate = evaluator(roots, inputs.map(String));
  return { units, inputs, evaluate, results: new Float64Array(roots.length) };
}

/** A phase with its expressions compiled. */
function compilePhase(layout: RecurrentLayout, { width, products, means, writes, finish }: Phase) {
  const units = layout.width(width);
  const compileWrites = (list: readonly Write[]) => ({
    targets: list.map(({ to }) => to),
    values: compile(
      list.map(({ value }) => value),
      units,
    ),
  });
  return {
    units,
    products: products.map(({ place, terms }) => ({
      place,
      terms: terms.map((term) => ({ term, vector: compile([term.source], layout.width(term.depth)) })),
    })),
    means: means.map((mean) => ({ place: mean.place, value: compile([mean.of], layout.width(mean.width)) })),
    writes: compileWrites(writes),
    finish: compileWrites(finish),
  };
}

/** Processes all steps of a pass. */
function runSteps(
  attrs: RecurrentAttrs,
  inputs: readonly Operand[],
  own: Tensors,
  initial: Initial,
  backward: boolean,
): void {
  const { weights, vectors, rows, seed } = operandsOf(attrs.operands, inputs);
  const { packed = 'float32', hidden, stream } = attrs;
  const [, steps, batch] = own.reserve.view.shape;
  const layout = new RecurrentLayout(attrs);
  const locate = locator(layout, { vectors: vectors[0], rows: rows[0], ...own }, initial);
  // A kernel with packed weights rounds them, so the reference rounds too and check mode tests the packing.
  const matrices = packed === 'float32' ? weights : weights.map((matrix) => roundedMatrix(packed, matrix));

  /** A random number of the cell. */
  const draw = (index: number, { layer, order, row }: StepRow, unit: number): number => {
    if (seed.length === 0) return 0;
    const [{ data, view }] = seed;
    const time = timeIndex(layout.addressOf(Place.of('output')), layer, order, steps);
    const words = philox(
      [row * hidden + unit, stream, time * 2 + layer, 1 + (index >> 2)],
      [data[view.offset] >>> 0, data[view.offset + 1] >>> 0],
    );
    return unitUniform(words[index & 3]);
  };

  /** How to load an input of an expression at each unit. */
  const loaderOf = (place: Place, step: StepRow): ((unit: number) => number) => {
    if (place.kind === 'noise') return (unit) => draw(place.index, step, unit);
    const elements = locate(place, step);
    if (elements === undefined) return () => 0;
    const { data, at } = elements;
    // The mask has one element per row.
    return place.kind === 'active' ? () => data[at] : (unit) => data[at + unit];
  };

  /** Evaluates expressions at each unit and passes the values to `use`. @param computed The phase's results so far. */
  const each = (
    { units, inputs: places, evaluate, results }: Compiled,
    step: StepRow,
    computed: ReadonlyMap<Place, ArrayLike<number>>,
    use: (unit: number, results: Float64Array) => void,
  ): void => {
    const values = new Float64Array(places.length);
    const loads = places.map((place): ((unit: number) => number) => {
      const given = computed.get(place);
      if (given === undefined) return loaderOf(place, step);
      return given.length === 1 ? () => given[0] : (unit) => given[unit];
    });
    for (let unit = 0; unit < units; unit++) {
      loads.forEach((load, i) => (values[i] = load(unit)));
      evaluate(values, results);
      use(unit, results);
    }
  };

  /** Adds matrix · source to `total`. */
  const multiply = (term: Term, source: Compiled, step: StepRow, total: Float64Array): void => {
    const { matrix, part, transposed } = matrixOf(layout, term);
    const { data, view } = matrices[layout.matrixAt(step.layer, matrix, transposed)];
    const [, columns] = layout.matrices[matrix].shape;
    const place = placeOf(term.source);
    if (place !== undefined && locate(place, step) === undefined) return;
    const vector = new Float64Array(source.units);
    each(source, step, new Map(), (unit, [value]) => (vector[unit] = value));
    const first = view.offset + part * hidden * columns;
    if (transposed) {
      for (let k = 0; k < vector.length; k++) {
        for (let u = 0; u < total.length; u++) total[u] += vector[k] * data[first + k * columns + u];
      }
    } else {
      for (let u = 0; u < total.length; u++) {
        let sum = 0;
        for (let k = 0; k < vector.length; k++) sum += vector[k] * data[first + u * columns + k];
        total[u] += sum;
      }
    }
  };

  const runPhase = (phase: ReturnType<typeof compilePhase>, step: StepRow): void => {
    const computed = new Map<Place, Float64Array>();
    for (const { place, terms } of phase.products) {
      const total = new Float64Array(phase.units);
      for (const { term, vector } of terms) multiply(term, vector, step, total);
      computed.set(place, total);
    }
    const finishing = step.order < 0;
    for (const { place, value } of finishing ? [] : phase.means) {
      let total = 0;
      each(value, step, computed, (_, [x]) => (total += x));
      computed.set(place, Float64Array.of(total / value.units));
    }
    const { targets, values } = finishing ? phase.finish : phase.writes;
    const elements = targets.map((to) => locate(to, step));
    const h = layout.isInference ? targets.indexOf(Place.of('after')) : -1;
    const output = h < 0 ? undefined : locate(Place.of('output'), step);
    each(values, step, computed, (unit, results) => {
      elements.forEach((element, i) => {
        if (element !== undefined) element.data[element.at + unit] = results[i];
      });
      if (output !== undefined) output.data[output.at + unit] = results[h];
    });
  };

  if (!backward && initial === 'in memory') copyInitial(layout, locate, batch);
  const phases = layout.phases(backward).map((phase) => compilePhase(layout, phase));
  for (const wave of layout.waves(steps, backward)) {
    for (const phase of phases) {
      const first = phase.finish.targets.length === 0 ? 0 : -1;
      for (let layer = 0; layer < layout.pseudoLayers; layer++) {
        const order = layout.stepOf(wave, layer);
        if (order < first || order >= steps) continue;
        for (let row = 0; row < batch; row++) runPhase(phase, { layer, order, row });
      }
    }
  }
}

/** Copies the initial states to where the loop reads them. */
function copyInitial(layout: RecurrentLayout, locate: Locate, batch: number): void {
  for (let s = 0; s < layout.program.stateWidths.length; s++) {
    for (let layer = 0; layer < layout.pseudoLayers; layer++) {
      for (let row = 0; row < batch; row++) {
        const step = { layer, order: 0, row };
        const from = locate(Place.of('carry', s), step);
        const to = locate(Place.of('state', s), step);
        if (from === undefined || to === undefined) continue;
        for (let unit = 0; unit < layout.stateWidth(s); unit++)
          to.data[to.at + unit] = from.data[from.at + unit];
      }
    }
  }
}

export const recurrent = defineKernel(recurrentOp, {
  legalize: (node, use) => {
    const isInference = TRAINING_OUTPUTS.every((output) => !use.reads(output));
    return isInference && !node.attrs.inference ? inferenceForm(node) : undefined;
  },
  run: (attrs, inputs, [reserve, states, output]) => {
    const [initial] = operandsOf(attrs.operands, inputs).initial;
    const [, steps] = reserve.view.shape;
    const isSingle = attrs.inference && steps === 1;
    const where = initial === undefined ? 'zero' : isSingle ? 'as given' : 'in memory';
    runSteps(attrs, inputs, { reserve, states, output, carry: initial }, where, false);
  },
});

export const recurrentBackward = defineKernel(recurrentBackwardOp, {
  run: (attrs, inputs, [reserve, carry]) => {
    const { states, dOutput } = operandsOf(attrs.operands, inputs);
    const tensors = { reserve, carry, states: states[0], output: dOutput.at(0) };
    runSteps(attrs, inputs, tensors, 'in memory', true);
  },
});
