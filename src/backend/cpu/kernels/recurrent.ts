// The reference of the recurrent loops: interprets a schedule step by step, phase by phase, row by row and unit by unit, with
// float64 accumulation, for any cell.
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
  type Address,
  type RecurrentAttrs,
  type Strides,
  type TensorName,
} from '../../../ops/recurrent_schedule.ts';
import { roundedMatrix } from './fake_quantize.ts';
import { defineKernel, type Operand } from './kernel.ts';

/** One row of one step of one pseudo-layer: what places are relative to. */
interface Moment {
  readonly layer: number;
  /** The step, counted in the order of processing; -1 after the backward loop. */
  readonly order: number;
  readonly row: number;
}

/** A place at a moment: element `at + unit` of `data`; undefined where it is 0. */
interface Elements {
  readonly data: { [index: number]: number };
  readonly at: number;
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
  /** Whether initial states are zero and not in memory, or are read where they were given, as the carry of a single step. */
  readonly #initial: 'in memory' | 'zero' | 'as given';
  readonly #addresses = new Map<
    Place,
    { readonly address: Address; readonly strides: Strides } | undefined
  >();
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
    // A kernel that reads packed weights rounds them, so that check mode tests the packing.
    this.#matrices = packed === 'float32' ? weights : weights.map((matrix) => roundedMatrix(packed, matrix));
    this.#seed = seed.at(0);
    this.#initial = initial;
    [, this.steps, this.batch] = inputs[0].view.shape;
  }

  #time({ layer, order }: Moment): number {
    return this.layout.isReverse(layer) ? this.steps - 1 - order : order;
  }

  #addressOf(place: Place) {
    if (!this.#addresses.has(place)) {
      const address = this.layout.addressOf(place);
      const { steps, batch } = this;
      const times = this.layout.stateTimes(steps);
      this.#addresses.set(
        place,
        address && { address, strides: stridesOf(address, { steps, batch, times }) },
      );
    }
    return this.#addresses.get(place);
  }

  /** Where a place lies at a moment; undefined where it is 0, since there is no such step, layer or tensor. */
  elements(place: Place, moment: Moment): Elements | undefined {
    const { layout, steps } = this;
    const found = this.#addressOf(place);
    if (found === undefined) return undefined;
    const { address, strides } = found;
    const before = address.tensor === 'states' && address.time === 'before';
    if (before && this.#initial === 'as given') return this.elements(Place.of('carry', place.index), moment);
    if (before && this.#initial === 'zero' && moment.order === 0) return undefined;
    const tensor = this.#tensors[address.tensor];
    // In a wavefront the output is the last layer's alone.
    const first = address.tensor === 'output' ? layout.pseudoLayers - layout.outputs : 0;
    const layer = moment.layer + address.layer - first;
    if (tensor === undefined || layer < 0 || layer + first >= layout.pseudoLayers) return undefined;
    const order = address.time === 'next' ? moment.order + 1 : moment.order;
    if (order >= steps || (order < 0 && address.layer > 0)) return undefined;
    const own = { ...moment, order, layer: layer + first };
    const time =
      address.tensor === 'states'
        ? layout.stateTime(own.layer, order + (before ? 0 : 1), steps)
        : this.#time(own);
    const { base } = strides;
    const at = base + strides.layer * layer + strides.time * time + strides.row * moment.row;
    return { data: tensor.data, at: tensor.view.offset + at };
  }

  /** A random number of a cell. */
  #draw(index: number, moment: Moment, unit: number): number {
    if (this.#seed === undefined) return 0;
    const { data, view } = this.#seed;
    const { hidden, stream } = this.#attrs;
    const words = philox(
      [moment.row * hidden + unit, stream, this.#time(moment) * 2 + moment.layer, 1 + (index >> 2)],
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

  /** How an input of an expression is loaded at each unit. */
  #load(place: Place, moment: Moment): (unit: number) => number {
    if (place.kind === 'noise') return (unit) => this.#draw(place.index, moment, unit);
    const elements = this.elements(place, moment);
    if (elements === undefined) return () => 0;
    const { data, at } = elements;
    // The mask has one element for each row.
    return place.kind === 'active' ? () => data[at] : (unit) => data[at + unit];
  }

  /** The values of expressions at each unit, given to `use` one unit after the other. */
  each(
    roots: readonly Expr[],
    moment: Moment,
    width: Width,
    computed: ReadonlyMap<Place, ArrayLike<number>>,
    use: (unit: number, results: Float64Array) => void,
  ): void {
    const { inputs, evaluate, results } = this.#compile(roots);
    const units = this.layout.width(width);
    const values = new Float64Array(inputs.length);
    const loads = inputs.map((place): ((unit: number) => number) => {
      const given = computed.get(place);
      if (given === undefined) return this.#load(place, moment);
      return given.length === 1 ? () => given[0] : (unit) => given[unit];
    });
    for (let unit = 0; unit < units; unit++) {
      loads.forEach((load, i) => (values[i] = load(unit)));
      evaluate(values, results);
      use(unit, results);
    }
  }

  /** Adds matrix · source to `total`. */
  #multiply(term: Term, moment: Moment, sources: readonly Expr[], total: Float64Array): void {
    const { source, depth } = term;
    const { matrix, part, transposed } = matrixOf(this.layout, term);
    const weight = this.#matrices[this.layout.matrixAt(moment.layer, matrix, transposed)];
    const [, columns] = this.layout.matrices[matrix].shape;
    const place = placeOf(source);
    if (place !== undefined && this.elements(place, moment) === undefined) return;
    const vector = new Float64Array(this.layout.width(depth));
    this.each(sources, moment, depth, new Map(), (unit, [value]) => (vector[unit] = value));
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

  run(phase: Phase, prepared: Prepared, moment: Moment): void {
    const computed = new Map<Place, Float64Array>();
    phase.products.forEach(({ place, terms }, p) => {
      const total = new Float64Array(this.layout.width(phase.width));
      terms.forEach((term, t) => this.#multiply(term, moment, prepared.sources[p][t], total));
      computed.set(place, total);
    });
    const finishing = moment.order < 0;
    if (!finishing) {
      phase.means.forEach(({ place, width }, m) => {
        let total = 0;
        this.each(prepared.means[m], moment, width, computed, (_, [value]) => (total += value));
        computed.set(place, Float64Array.of(total / this.layout.width(width)));
      });
    }
    const writes = finishing ? phase.finish : phase.writes;
    const places = writes.map(({ to }) => this.elements(to, moment));
    const h = this.layout.isInference ? writes.findIndex(({ to }) => to === Place.of('after')) : -1;
    const output = h < 0 ? undefined : this.elements(Place.of('output'), moment);
    this.each(
      finishing ? prepared.finish : prepared.writes,
      moment,
      phase.width,
      computed,
      (unit, results) => {
        places.forEach((place, i) => {
          if (place !== undefined) place.data[place.at + unit] = results[i];
        });
        if (output !== undefined) output.data[output.at + unit] = results[h];
      },
    );
  }
}

/** A phase's expressions as lists that stay the same objects, so that each is compiled once. */
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

/** @param orders Steps of the first pseudo-layer; in a wavefront each layer is a step behind the one below. */
function runSteps(interpreter: Interpreter, phases: readonly Phase[], orders: readonly number[]): void {
  const prepared = phases.map(prepare);
  const { pseudoLayers, isWavefront } = interpreter.layout;
  for (const wave of orders) {
    phases.forEach((phase, i) => {
      const first = phase.finish.length === 0 ? 0 : -1;
      for (let layer = 0; layer < pseudoLayers; layer++) {
        const order = isWavefront ? wave - layer : wave;
        if (order < first || order >= interpreter.steps) continue;
        for (let row = 0; row < interpreter.batch; row++)
          interpreter.run(phase, prepared[i], { layer, order, row });
      }
    });
  }
}

/** Copies the initial states to where the loop reads them. */
function copyInitial(interpreter: Interpreter): void {
  const { layout, batch } = interpreter;
  for (let s = 0; s < layout.program.stateWidths.length; s++) {
    for (let layer = 0; layer < layout.pseudoLayers; layer++) {
      for (let row = 0; row < batch; row++) {
        const moment = { layer, order: 0, row };
        const [from, to] = (['carry', 'state'] as const).map((kind) =>
          interpreter.elements(Place.of(kind, s), moment),
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
    return isInference && node.attrs.schedule.form === 'training' ? inferenceForm(node).outputs : undefined;
  },
  run: (attrs, inputs, [reserve, states, output]) => {
    const [initial] = operandsOf(attrs.operands, inputs).initial;
    const [, steps] = reserve.view.shape;
    const isSingle = attrs.schedule.form === 'inference' && steps === 1;
    const where = initial === undefined ? 'zero' : isSingle ? 'as given' : 'in memory';
    const tensors = { reserve, states, output, carry: initial };
    const interpreter = new Interpreter(attrs, inputs, tensors, where);
    if (where === 'in memory') copyInitial(interpreter);
    const { layout } = interpreter;
    const count = steps + layout.delay;
    runSteps(
      interpreter,
      layout.phases(false),
      Array.from({ length: count }, (_, order) => order),
    );
  },
});

export const recurrentBackward = defineKernel(recurrentBackwardOp, {
  run: (attrs, inputs, [reserve, carry]) => {
    const { states, dOutput } = operandsOf(attrs.operands, inputs);
    const tensors = { reserve, carry, states: states[0], output: dOutput.at(0) };
    const interpreter = new Interpreter(attrs, inputs, tensors);
    const { layout } = interpreter;
    const last = interpreter.steps - 1 + layout.delay;
    // From the last step to the first, then what the gradients of the initial states still lack.
    const orders = Array.from({ length: last + 2 }, (_, i) => last - i);
    runSteps(interpreter, layout.phases(true), orders);
  },
});
