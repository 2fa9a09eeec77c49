// The reference of the recurrent loops, for any cell: interprets a schedule by step, phase, row and unit, with float64
// accumulation.
import type { Phase, Term } from '../../../cells/phases.ts';
import { Place, placeOf, placesIn, type Width } from '../../../cells/places.ts';
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

/** A numeric address. */
interface Located {
  readonly address: Address;
  readonly strides: Strides;
  /** The extent of the time axis. */
  readonly times: number;
}

interface Compiled {
  readonly inputs: readonly Place[];
  readonly evaluate: Evaluate;
  readonly results: Float64Array;
}

type Tensors = Readonly<Partial<Record<TensorName, Operand | undefined>>>;

class Interpreter {
  readonly layout: RecurrentLayout;
  readonly steps: number;
  readonly batch: number;
  readonly #attrs: RecurrentAttrs;
  readonly #tensors: Tensors;
  readonly #matrices: readonly Operand[];
  readonly #seed: Operand | undefined;
  /** Whether initial states are zero and not in memory, or are read from the arguments, as the carry of a single step. */
  readonly #initial: 'in memory' | 'zero' | 'as given';
  readonly #located = new Map<Place, Located | undefined>();
  readonly #compiled = new Map<readonly Expr[], Compiled>();

  constructor(
    attrs: RecurrentAttrs,
    inputs: readonly Operand[],
    tensors: Tensors,
    initial: 'in memory' | 'zero' | 'as given' = 'in memory',
  ) {
    const { weights, vectors, rows, seed } = operandsOf(attrs.operands, inputs);
    const { packed = 'float32' } = attrs;
    this.#attrs = attrs;
    this.layout = new RecurrentLayout(attrs);
    this.#tensors = { vectors: vectors[0], rows: rows[0], ...tensors };
    // A kernel with packed weights rounds them, so the reference rounds too and check mode tests the packing.
    this.#matrices = packed === 'float32' ? weights : weights.map((matrix) => roundedMatrix(packed, matrix));
    this.#seed = seed.at(0);
    this.#initial = initial;
    [, this.steps, this.batch] = inputs[0].view.shape;
  }

  #locate(place: Place): Located | undefined {
    if (this.#located.has(place)) return this.#located.get(place);
    const { layout, steps, batch } = this;
    const address = layout.addressOf(place);
    const sizes = { steps, batch, times: layout.stateTimes(steps) };
    const times = address?.tensor === 'states' ? sizes.times : steps;
    const located = address && { address, strides: stridesOf(address, sizes), times };
    this.#located.set(place, located);
    return located;
  }

  /** Resolves a place in a step; undefined if the step, layer or tensor does not exist, so that the value is 0. */
  elements(place: Place, step: StepRow): Elements | undefined {
    const { layout } = this;
    const found = this.#locate(place);
    if (found === undefined) return undefined;
    const { address, strides, times } = found;
    if (place.kind === 'state') {
      if (this.#initial === 'as given') return this.elements(Place.of('carry', place.index), step);
      if (this.#initial === 'zero' && step.order === 0) return undefined;
    }
    const tensor = this.#tensors[address.tensor];
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
  }

  /** A random number of the cell. */
  #draw(index: number, { layer, order, row }: StepRow, unit: number): number {
    if (this.#seed === undefined) return 0;
    const { data, view } = this.#seed;
    const { hidden, stream } = this.#attrs;
    const time = timeIndex(this.layout.addressOf(Place.of('output')), layer, order, this.steps);
    const words = philox(
      [row * hidden + unit, stream, time * 2 + layer, 1 + (index >> 2)],
      [data[view.offset] >>> 0, data[view.offset + 1] >>> 0],
    );
    return unitUniform(words[index & 3]);
  }

  #compile(roots: readonly Expr[]): Compiled {
    const known = this.#compiled.get(roots);
    if (known !== undefined) return known;
    const inputs = placesIn(roots);
    const evaluate = evaluator(roots, inputs.map(String));
    const made = { inputs, evaluate, results: new Float64Array(roots.length) };
    this.#compiled.set(roots, made);
    return made;
  }

  /** How to load an input of an expression at each unit. */
  #load(place: Place, step: StepRow): (unit: number) => number {
    if (place.kind === 'noise') return (unit) => this.#draw(place.index, step, unit);
    const elements = this.elements(place, step);
    if (elements === undefined) return () => 0;
    const { data, at } = elements;
    // The mask has one element per row.
    return place.kind === 'active' ? () => data[at] : (unit) => data[at + unit];
  }

  /** Evaluates expressions at each unit and passes the values to `use`. */
  each(
    roots: readonly Expr[],
    step: StepRow,
    width: Width,
    computed: ReadonlyMap<Place, ArrayLike<number>>,
    use: (unit: number, results: Float64Array) => void,
  ): void {
    const { inputs, evaluate, results } = this.#compile(roots);
    const units = this.layout.width(width);
    const values = new Float64Array(inputs.length);
    const loads = inputs.map((place): ((unit: number) => number) => {
      const given = computed.get(place);
      if (given === undefined) return this.#load(place, step);
      return given.length === 1 ? () => given[0] : (unit) => given[unit];
    });
    for (let unit = 0; unit < units; unit++) {
      loads.forEach((load, i) => (values[i] = load(unit)));
      evaluate(values, results);
      use(unit, results);
    }
  }

  /** Adds matrix · source to `total`. */
  #multiply(term: Term, step: StepRow, sources: readonly Expr[], total: Float64Array): void {
    const { source, depth } = term;
    const { matrix, part, transposed } = matrixOf(this.layout, term);
    const weight = this.#matrices[this.layout.matrixAt(step.layer, matrix, transposed)];
    const [, columns] = this.layout.matrices[matrix].shape;
    const place = placeOf(source);
    if (place !== undefined && this.elements(place, step) === undefined) return;
    const vector = new Float64Array(this.layout.width(depth));
    this.each(sources, step, depth, new Map(), (unit, [value]) => (vector[unit] = value));
    const first = weight.view.offset + part * this.#attrs.hidden * columns;
    if (transposed) {
      for (let k = 0; k < vector.length; k++) {
        for (let u = 0; u < total.length; u++) total[u] += vector[k] * weight.data[first + k * columns + u];
      }
    } else {
      for (let u = 0; u < total.length; u++) {
        let sum = 0;
        for (let k = 0; k < vector.length; k++) sum += vector[k] * weight.data[first + u * columns + k];
        total[u] += sum;
      }
    }
  }

  run(phase: Phase, prepared: Prepared, step: StepRow): void {
    const computed = new Map<Place, Float64Array>();
    phase.products.forEach(({ place, terms }, p) => {
      const total = new Float64Array(this.layout.width(phase.width));
      terms.forEach((term, t) => this.#multiply(term, step, prepared.sources[p][t], total));
      computed.set(place, total);
    });
    const finishing = step.order < 0;
    if (!finishing) {
      phase.means.forEach(({ place, width }, m) => {
        let total = 0;
        this.each(prepared.means[m], step, width, computed, (_, [value]) => (total += value));
        computed.set(place, Float64Array.of(total / this.layout.width(width)));
      });
    }
    const writes = finishing ? phase.finish : phase.writes;
    const places = writes.map(({ to }) => this.elements(to, step));
    const h = this.layout.isInference ? writes.findIndex(({ to }) => to === Place.of('after')) : -1;
    const output = h < 0 ? undefined : this.elements(Place.of('output'), step);
    this.each(finishing ? prepared.finish : prepared.writes, step, phase.width, computed, (unit, results) => {
      places.forEach((place, i) => {
        if (place !== undefined) place.data[place.at + unit] = results[i];
      });
      if (output !== undefined) output.data[output.at + unit] = results[h];
    });
  }
}

/** Caches each phase's expression lists, since identity of the list is the compiler's cache key. */
interface Prepared {
  readonly sources: readonly (readonly (readonly Expr[])[])[];
  readonly means: readonly (readonly Expr[])[];
  readonly writes: readonly Expr[];
  readonly finish: readonly Expr[];
}

function prepare({ products, means, writes, finish }: Phase): Prepared {
  return {
    sources: products.map(({ terms }) => terms.map(({ source }) => [source])),
    means: means.map(({ of }) => [of]),
    writes: writes.map(({ value }) => value),
    finish: finish.map(({ value }) => value),
  };
}

/** Processes all steps of a pass. */
function runSteps(interpreter: Interpreter, backward: boolean): void {
  const { layout, steps, batch } = interpreter;
  const phases = layout.phases(backward).map((phase) => ({ phase, prepared: prepare(phase) }));
  for (const wave of layout.waves(steps, backward)) {
    for (const { phase, prepared } of phases) {
      const first = phase.finish.length === 0 ? 0 : -1;
      for (let layer = 0; layer < layout.pseudoLayers; layer++) {
        const order = layout.stepOf(wave, layer);
        if (order < first || order >= steps) continue;
        for (let row = 0; row < batch; row++) interpreter.run(phase, prepared, { layer, order, row });
      }
    }
  }
}

/** Copies the initial states to where the loop reads them. */
function copyInitial(interpreter: Interpreter): void {
  const { layout, batch } = interpreter;
  for (let s = 0; s < layout.program.stateWidths.length; s++) {
    for (let layer = 0; layer < layout.pseudoLayers; layer++) {
      for (let row = 0; row < batch; row++) {
        const step = { layer, order: 0, row };
        const [from, to] = (['carry', 'state'] as const).map((kind) =>
          interpreter.elements(Place.of(kind, s), step),
        );
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
    const tensors = { reserve, states, output, carry: initial };
    const interpreter = new Interpreter(attrs, inputs, tensors, where);
    if (where === 'in memory') copyInitial(interpreter);
    runSteps(interpreter, false);
  },
});

export const recurrentBackward = defineKernel(recurrentBackwardOp, {
  run: (attrs, inputs, [reserve, carry]) => {
    const { states, dOutput } = operandsOf(attrs.operands, inputs);
    const tensors = { reserve, carry, states: states[0], output: dOutput.at(0) };
    runSteps(new Interpreter(attrs, inputs, tensors), true);
  },
});
