// How the tensors of a recurrent layer lie in memory: D chains, T steps, B rows; H units, or P of a projected h.
//   stash    (D, T, B, row)              the slots of a row one behind the other
//   states   per state (D, T + 1, B, W)  chain 0 starts at time 0, chain 1, which runs backwards, at time T;
//                                        lean (D, 2, B, W), by turns; of a single step (D, 1, B, W), those after it
//   initial, carry  per state (D, B, W)
//   vectors  (D, gates·H + weights·H)    bias_hh, then the weights of one number per unit
//   packed   see recurrent_pack.ts
//   largest  (D, rows of all matrices)   with int8: the magnitude that 127 stands for in each row
//   rows     (D, B, W of h) variational dropout's factors, then (D, T, B) the mask, where there are any
import type { Cell } from '../cells/cell.ts';
import { operationsOf, type Phase, type Term, type Width } from '../cells/phases.ts';
import type { CellProgram } from '../cells/program.ts';
import type { WeightPrecision } from './weight_precision.ts';

export interface RecurrentAttrs {
  readonly cell: Cell;
  readonly hidden: number;
  /** The size of a projected h; 0 without one. */
  readonly projection: number;
  readonly chains: 1 | 2;
  /** Whether there is a `bias_hh`. */
  readonly bias: boolean;
  /** Whether steps may be masked. */
  readonly masked: boolean;
  /** What the matrices' elements are rounded to. */
  readonly precision: WeightPrecision;
  /** Which of the model's random streams the cell draws from. */
  readonly stream: number;
  /** Whether nothing but the output and the final states is wanted: of the states, those of two times are kept, of a single step those after it. */
  readonly lean: boolean;
  /** Of a lean one, whether all initial states are zero, so that there is no input for them. */
  readonly fromZero: boolean;
}

/** What decides how the tensors lie; not lean, and float32, unless said. */
export type LayoutAttrs = Omit<RecurrentAttrs, 'precision' | 'stream' | 'lean' | 'fromZero'> &
  Partial<Pick<RecurrentAttrs, 'precision' | 'lean'>>;

export class RecurrentLayout {
  readonly program: CellProgram;
  readonly chains: number;
  /** Elements of a row of the stash, and where in it each slot begins. */
  readonly row: number;
  readonly slotOffset: readonly number[];
  /** Units of the states before each, and of all. */
  readonly stateOffset: readonly number[];
  readonly stateUnits: number;
  /** Elements of one chain's vectors, and where bias and weights begin in them. */
  readonly vectors: number;
  readonly weightOffset: number;
  readonly #attrs: LayoutAttrs;

  constructor(attrs: LayoutAttrs) {
    const { cell, bias, masked, chains, hidden } = attrs;
    this.#attrs = attrs;
    this.program = cell.program({ bias, masked });
    this.chains = chains;
    const before = (widths: readonly Width[]): number[] => {
      let next = 0;
      return widths.map((width) => {
        const at = next;
        next += this.width(width);
        return at;
      });
    };
    const { slots, stateWidths } = this.program;
    this.slotOffset = before(slots);
    this.row = slots.reduce((sum, width) => sum + this.width(width), 0);
    this.stateOffset = before(stateWidths);
    this.stateUnits = stateWidths.reduce((sum, width) => sum + this.width(width), 0);
    this.weightOffset = bias ? cell.recurrentGates.length * hidden : 0;
    this.vectors = this.weightOffset + cell.weights.length * hidden;
  }

  width(width: Width): number {
    return width === 'hidden' ? this.#attrs.hidden : this.#attrs.projection;
  }

  stateWidth(state: number): number {
    return this.width(this.program.stateWidths[state]);
  }

  /** Elements of `rows` before the mask, and of all. */
  keepSize(batch: number): number {
    return this.#attrs.cell.dropsRecurrent ? this.chains * batch * this.stateWidth(0) : 0;
  }

  rowsSize(steps: number, batch: number): number {
    return this.keepSize(batch) + (this.#attrs.masked ? this.chains * steps * batch : 0);
  }

  /** How many times' states lie in memory. Those before a single step are read where they were given. */
  stateTimes(steps: number): number {
    return this.#attrs.lean === true ? Math.min(2, steps) : steps + 1;
  }

  /** Phases of the forward step. */
  get forward(): readonly Phase[] {
    return this.#attrs.lean === true ? this.program.lean : this.program.forward;
  }

  get precision(): WeightPrecision {
    return this.#attrs.precision ?? 'float32';
  }

  /** The matrices of one chain: their names and shapes. */
  get matrices(): { readonly name: 'hh' | 'hr'; readonly shape: readonly [number, number] }[] {
    const { cell, hidden, projection } = this.#attrs;
    const gates = cell.recurrentGates.length;
    return [
      ...(gates > 0 ? [{ name: 'hh' as const, shape: [gates * hidden, this.stateWidth(0)] as const }] : []),
      ...(cell.projects ? [{ name: 'hr' as const, shape: [projection, hidden] as const }] : []),
    ];
  }

  /** Rows of the matrices before each, and of all, of one chain. */
  get matrixRows(): { readonly before: readonly number[]; readonly all: number } {
    let all = 0;
    const before = this.matrices.map(({ shape: [rows] }) => {
      all += rows;
      return all - rows;
    });
    return { before, all };
  }
}

/** Which of a chain's matrices a term multiplies by, and which part of it. */
export function matrixOf(
  layout: RecurrentLayout,
  { matrix }: Term,
): { readonly matrix: number; readonly part: number; readonly transposed: boolean } {
  return {
    matrix: layout.matrices.findIndex(({ name }) => name === matrix.slice(0, 2)),
    part: Number.parseInt(matrix.slice(3), 10),
    transposed: matrix.endsWith("'"),
  };
}

/** Of one row and step of one chain: the products, and of each unit the cell's update or derivative. */
export function flopOf(layout: RecurrentLayout, phases: readonly Phase[]): number {
  const each = phases.map((phase) => {
    const terms = phase.products.flatMap((product) => product.terms);
    const depth = terms.reduce((total, term) => total + layout.width(term.depth), 0);
    return layout.width(phase.width) * (2 * depth + operationsOf(phase));
  });
  return each.reduce((a, b) => a + b, 0);
}

/** Inputs that both recurrent ops have. */
export interface Roles<T> {
  readonly stash: T;
  /** By chain, then by name. */
  readonly matrices: readonly (readonly T[])[];
  /** The matrices once more, packed for the pass, where there are any: the kernels read these, the reference those. */
  readonly packed: T | undefined;
  /** With int8, of which 127 stands for the largest magnitude of each row. */
  readonly largest: T | undefined;
  readonly vectors: T | undefined;
  readonly rows: T | undefined;
  readonly seed: T | undefined;
}

export interface ForwardRoles<T> extends Roles<T> {
  /** Absent where all are zero. */
  readonly initial: T | undefined;
}

export interface BackwardRoles<T> extends Roles<T> {
  readonly states: T;
  readonly carry: T;
  /** Absent where nobody reads the output. */
  readonly dOutput: T | undefined;
}

/** The inputs behind those that only one of the ops has. @param next where they begin. */
function rolesFrom<T>(
  attrs: RecurrentAttrs,
  inputs: readonly T[],
  next: number,
): Roles<T> & { next: number } {
  const layout = new RecurrentLayout(attrs);
  const take = (): T => inputs[next++];
  const perChain = layout.matrices.length;
  const matrices = Array.from({ length: attrs.chains }, () => Array.from({ length: perChain }, take));
  const packed = perChain > 0 ? take() : undefined;
  const largest = perChain > 0 && attrs.precision === 'int8' ? take() : undefined;
  const vectors = layout.vectors > 0 ? take() : undefined;
  const rows = attrs.masked || attrs.cell.dropsRecurrent ? take() : undefined;
  const seed = layout.program.draws > 0 ? take() : undefined;
  return { stash: inputs[0], matrices, packed, largest, vectors, rows, seed, next };
}

/** The inputs of `recurrent` by role, from their order. */
export function forwardRoles<T>(attrs: RecurrentAttrs, inputs: readonly T[]): ForwardRoles<T> {
  const initial = attrs.fromZero ? undefined : inputs[1];
  return { ...rolesFrom(attrs, inputs, attrs.fromZero ? 1 : 2), initial };
}

/** The inputs of `recurrent_backward` by role, from their order. */
export function backwardRoles<T>(attrs: RecurrentAttrs, inputs: readonly T[]): BackwardRoles<T> {
  const { next, ...roles } = rolesFrom(attrs, inputs, 3);
  return { ...roles, states: inputs[1], carry: inputs[2], dOutput: inputs[next] };
}
