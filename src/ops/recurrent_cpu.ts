// The recurrent layer's reference: plain loops over time, phases, rows and units, float64 accumulation, for any cell.
import { parsePlace } from '../cells/places.ts';
import type { Phase, Term, Width } from '../cells/phases.ts';
import { philox, unitUniform } from '../core/random.ts';
import { evaluator, type Evaluate } from '../expr/evaluate.ts';
import { inputsOf, type Expr } from '../expr/expr.ts';
import type { Operand } from '../backend/cpu/kernels/kernel.ts';
import {
  backwardRoles,
  forwardRoles,
  matrixOf,
  RecurrentLayout,
  type BackwardRoles,
  type RecurrentAttrs,
  type Roles,
} from './recurrent_layout.ts';
import { roundedMatrix } from '../backend/cpu/kernels/fake_quantize.ts';

/** One row of one step: what places are relative to. */
interface Moment {
  readonly chain: number;
  /** The step, counted in the order of processing; -1 once the backward loop is through. */
  readonly order: number;
  readonly row: number;
}

/** A place at a moment: element `at + unit` of `data`. */
interface Place {
  readonly data: { [index: number]: number };
  readonly at: number;
}

interface Compiled {
  readonly inputs: readonly string[];
  readonly evaluate: Evaluate;
  readonly results: Float64Array;
}

class Machine {
  readonly layout: RecurrentLayout;
  readonly #attrs: RecurrentAttrs;
  readonly #roles: Roles<Operand> & Partial<BackwardRoles<Operand>>;
  /** As they are multiplied by. */
  readonly #matrices: readonly Operand[];
  readonly #stash: Operand;
  readonly #states: Operand;
  readonly #carry: Operand | undefined;
  readonly #output: Operand | undefined;
  /** The initial states, where the only step reads them as they were given. */
  readonly #given: Operand | undefined;
  readonly steps: number;
  readonly batch: number;
  readonly #compiled = new Map<readonly Expr[], Compiled>();

  constructor(
    attrs: RecurrentAttrs,
    roles: Roles<Operand> & Partial<BackwardRoles<Operand>>,
    stash: Operand,
    states: Operand,
    { carry, output, given }: { readonly [Name in 'carry' | 'output' | 'given']?: Operand | undefined },
  ) {
    this.layout = new RecurrentLayout(attrs);
    this.#attrs = attrs;
    this.#roles = roles;
    this.#matrices = roles.matrices.map((matrix) =>
      attrs.precision === 'float32' ? matrix : roundedMatrix(attrs.precision, matrix),
    );
    this.#stash = stash;
    this.#states = states;
    this.#carry = carry;
    this.#output = output;
    this.#given = given;
    [, this.steps, this.batch] = stash.view.shape;
  }

  #isReverse(chain: number): boolean {
    return chain > 0 && !this.layout.stacked;
  }

  #time({ chain, order }: Moment): number {
    return this.#isReverse(chain) ? this.steps - 1 - order : order;
  }

  /** Where state `s` lies before the step, or with `after` behind it. */
  stateAt(s: number, { chain, order, row }: Moment, after: number): number {
    const { layout, steps, batch } = this;
    const times = layout.stateTimes(steps);
    const done = order + after;
    const inOrder = this.#isReverse(chain) ? steps - done : done;
    const index = this.#attrs.lean ? done % times : inOrder;
    const first = layout.stateOffset[s] * layout.chains * times * batch;
    return this.#states.view.offset + first + ((chain * times + index) * batch + row) * layout.stateWidth(s);
  }

  /** Whether h of the chain is in the output. */
  isOut(chain: number): boolean {
    return chain >= this.layout.chains - this.layout.outputs;
  }

  carryAt(s: number, operand: Operand, { chain, row }: Moment): number {
    const { layout, batch } = this;
    const first = layout.stateOffset[s] * layout.chains * batch;
    return operand.view.offset + first + (chain * batch + row) * layout.stateWidth(s);
  }

  #stashAt(slot: number, moment: Moment): number {
    const { layout, steps, batch } = this;
    const { chain, row } = moment;
    const at = ((chain * steps + this.#time(moment)) * batch + row) * layout.row;
    return this.#stash.view.offset + at + layout.slotOffset[slot];
  }

  #outputAt(moment: Moment): number {
    const { layout, batch } = this;
    const first = layout.chains - layout.outputs;
    const row = (this.#time(moment) * batch + moment.row) * layout.outputs + moment.chain - first;
    return row * layout.stateWidth(0);
  }

  place(name: string, moment: Moment): Place {
    const { layout, batch, steps } = this;
    const { chain, row } = moment;
    const [kind, index] = parsePlace(name);
    const within = (operand: Operand | undefined, at: number): Place =>
      operand === undefined ? ZERO : { data: operand.data, at: operand.view.offset + at };
    switch (kind) {
      case 'slot':
        return { data: this.#stash.data, at: this.#stashAt(index, moment) };
      case 'following':
        return moment.order + 1 < steps
          ? { data: this.#stash.data, at: this.#stashAt(index, { ...moment, order: moment.order + 1 }) }
          : ZERO;
      case 'above':
        return chain + 1 < layout.chains && moment.order >= 0
          ? this.place(`slot${index}`, { ...moment, chain: chain + 1 })
          : ZERO;
      case 'below':
        return chain > 0 ? this.place('after0', { ...moment, chain: chain - 1 }) : ZERO;
      case 'state':
        if (this.#given !== undefined)
          return { data: this.#given.data, at: this.carryAt(index, this.#given, moment) };
        if (this.#attrs.fromZero && moment.order === 0) return ZERO;
        return { data: this.#states.data, at: this.stateAt(index, moment, 0) };
      case 'after':
        return { data: this.#states.data, at: this.stateAt(index, moment, 1) };
      case 'carry':
        return this.#carry === undefined
          ? ZERO
          : { data: this.#carry.data, at: this.carryAt(index, this.#carry, moment) };
      case 'output':
        return this.isOut(chain) ? within(this.#roles.dOutput, this.#outputAt(moment)) : ZERO;
      case 'bias':
        return within(this.#roles.vectors, chain * layout.vectors + index * this.#attrs.hidden);
      case 'weight':
        return within(
          this.#roles.vectors,
          chain * layout.vectors + layout.weightOffset + index * this.#attrs.hidden,
        );
      default:
        return within(this.#roles.rows, (chain * batch + row) * layout.stateWidth(0));
    }
  }

  /** Values that are not memory at a unit: the mask, and what is drawn. */
  #special(name: string, moment: Moment, unit: number): number | undefined {
    const { chain, row } = moment;
    const { rows, seed } = this.#roles;
    const [kind, index] = parsePlace(name);
    if (kind === 'active' && rows !== undefined) {
      const at = (chain * this.steps + this.#time(moment)) * this.batch + row;
      return rows.data[rows.view.offset + this.layout.keepSize(this.batch) + at];
    }
    if (kind === 'noise' && seed !== undefined) {
      const { data, view } = seed;
      const words = philox(
        [
          row * this.#attrs.hidden + unit,
          this.#attrs.stream,
          this.#time(moment) * 2 + chain,
          1 + (index >> 2),
        ],
        [data[view.offset] >>> 0, data[view.offset + 1] >>> 0],
      );
      return unitUniform(words[index & 3]);
    }
    return undefined;
  }

  #compile(roots: readonly Expr[]): Compiled {
    const known = this.#compiled.get(roots);
    if (known !== undefined) return known;
    const inputs = inputsOf(roots);
    const made = { inputs, evaluate: evaluator(roots, inputs), results: new Float64Array(roots.length) };
    this.#compiled.set(roots, made);
    return made;
  }

  /** The values of expressions at each unit, given to `use` one unit after the other. */
  each(
    roots: readonly Expr[],
    moment: Moment,
    width: Width,
    named: ReadonlyMap<string, ArrayLike<number>>,
    use: (unit: number, results: Float64Array) => void,
  ): void {
    const { inputs, evaluate, results } = this.#compile(roots);
    const units = this.layout.width(width);
    const values = new Float64Array(inputs.length);
    const loads = inputs.map((name): ((unit: number) => number) => {
      const given = named.get(name);
      if (given !== undefined) return given.length === 1 ? () => given[0] : (unit) => given[unit];
      if (/^(active|noise)/.test(name)) return (unit) => this.#special(name, moment, unit) ?? 0;
      const { data, at } = this.place(name, moment);
      return data === ZERO.data ? () => 0 : (unit) => data[at + unit];
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
    const weight = this.#matrices[this.layout.matrixAt(moment.chain, matrix, transposed)];
    const [, columns] = this.layout.matrices[matrix].shape;
    if ('input' in source.kind && this.place(source.kind.input, moment).data === ZERO.data) return;
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
    const named = new Map<string, Float64Array>();
    phase.products.forEach(({ name, terms }, p) => {
      const total = new Float64Array(this.layout.width(phase.width));
      terms.forEach((term, t) => this.#multiply(term, moment, prepared.sources[p][t], total));
      named.set(name, total);
    });
    const finishing = moment.order < 0;
    if (!finishing) {
      phase.means.forEach(({ name, width }, m) => {
        let total = 0;
        this.each(prepared.means[m], moment, width, named, (_, [value]) => (total += value));
        named.set(name, Float64Array.of(total / this.layout.width(width)));
      });
    }
    const writes = finishing ? phase.finish : phase.writes;
    const places = writes.map(({ to }) => this.place(to, moment));
    const output =
      this.#output !== undefined && this.isOut(moment.chain)
        ? { data: this.#output.data, at: this.#output.view.offset + this.#outputAt(moment) }
        : undefined;
    const h = writes.findIndex(({ to }) => to === 'after0');
    this.each(finishing ? prepared.finish : prepared.writes, moment, phase.width, named, (unit, results) => {
      places.forEach(({ data, at }, i) => (data[at + unit] = results[i]));
      if (output !== undefined && h >= 0) output.data[output.at + unit] = results[h];
    });
  }
}

const ZERO: Place = { data: new Float64Array(1), at: 0 };

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

/** @param orders of the chain that goes first; of stacked layers each is a step behind the one below. */
function runAll(machine: Machine, phases: readonly Phase[], orders: readonly number[]): void {
  const prepared = phases.map(prepare);
  const { chains, stacked } = machine.layout;
  for (const wave of orders) {
    phases.forEach((phase, i) => {
      const first = phase.finish.length === 0 ? 0 : -1;
      for (let chain = 0; chain < chains; chain++) {
        const order = stacked ? wave - chain : wave;
        if (order < first || order >= machine.steps) continue;
        for (let row = 0; row < machine.batch; row++) machine.run(phase, prepared[i], { chain, order, row });
      }
    });
  }
}

export function recurrentCPU(
  attrs: RecurrentAttrs,
  inputs: readonly Operand[],
  [stash, states, output]: readonly Operand[],
): void {
  const roles = forwardRoles(attrs, inputs);
  const { initial } = roles;
  const [, steps] = stash.view.shape;
  const given = attrs.lean && steps === 1 ? initial : undefined;
  const machine = new Machine(attrs, roles, stash, states, { output, given });
  const { layout, batch } = machine;
  layout.program.stateWidths.forEach((_, s) => {
    // A loop that starts at zero reads no memory before its first step, a single step what it was given.
    if (initial === undefined || given !== undefined) return;
    for (let chain = 0; chain < layout.chains; chain++) {
      for (let row = 0; row < batch; row++) {
        const moment = { chain, order: 0, row };
        const [from, to] = [machine.carryAt(s, initial, moment), machine.stateAt(s, moment, 0)];
        for (let unit = 0; unit < layout.stateWidth(s); unit++)
          states.data[to + unit] = initial.data[from + unit];
      }
    }
  });
  runAll(
    machine,
    layout.forward,
    Array.from({ length: steps + layout.delay }, (_, order) => order),
  );
}

export function recurrentBackwardCPU(
  attrs: RecurrentAttrs,
  inputs: readonly Operand[],
  [stash, carry]: readonly Operand[],
): void {
  const roles = backwardRoles(attrs, inputs);
  const machine = new Machine(attrs, roles, stash, roles.states, { carry });
  const last = machine.steps - 1 + machine.layout.delay;
  // From the last step to the first, then what the initial states' gradients still lack.
  runAll(
    machine,
    machine.layout.program.backward,
    Array.from({ length: last + 2 }, (_, i) => last - i),
  );
}
