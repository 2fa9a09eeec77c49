// How the tensors of a recurrent layer lie in memory: D chains, T steps, B rows; H units, or P of a projected h. Chains are
// loops that share each launch: the directions of a layer, or stacked layers of one direction, each a step behind the one below.
//   stash    (D, T, B, row)              the slots of a row one behind the other
//   states   per state (D, T + 1, B, W)  a chain starts at time 0; the second direction, which runs backwards, at time T;
//                                        lean (D, 2, B, W), by turns; of a single step (D, 1, B, W), those after it
//   initial, carry  per state (D, B, W)
//   vectors  (D, gates·H + weights·H)    bias_hh, then the weights of one number per unit
//   packed   see recurrent_pack.ts
//   largest  (D, rows of all matrices)   with int8: the magnitude that 127 stands for in each row
//   rows     (D, B, W of h) variational dropout's factors, then (D, T, B) the mask, where there are any
import type { Cell } from '../cells/cell.ts';
import { operationsOf, type Phase, type Term, type Width } from '../cells/phases.ts';
import type { CellProgram, MatrixName } from '../cells/program.ts';
import type { WeightPrecision } from './weight_precision.ts';

export interface RecurrentAttrs {
  readonly cell: Cell;
  readonly hidden: number;
  /** The size of a projected h; 0 without one. */
  readonly projection: number;
  /** The directions of a layer, or the layers. */
  readonly chains: number;
  /** Whether chains are layers, each with what the one below makes as its input. */
  readonly stacked: boolean;
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
export type LayoutAttrs = Omit<RecurrentAttrs, 'precision' | 'stream' | 'stacked' | 'lean' | 'fromZero'> &
  Partial<Pick<RecurrentAttrs, 'precision' | 'stacked' | 'lean'>>;

export class RecurrentLayout {
  readonly program: CellProgram;
  readonly chains: number;
  readonly stacked: boolean;
  /** Chains whose h is in the output: of layers the last one's alone. */
  readonly outputs: number;
  /** How many steps the last chain is behind the first. */
  readonly delay: number;
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
    const { cell, bias, masked, chains, stacked = false, hidden } = attrs;
    this.#attrs = attrs;
    this.program = cell.program({ bias, masked, stacked });
    this.chains = chains;
    this.stacked = stacked;
    this.outputs = stacked ? 1 : chains;
    this.delay = stacked ? chains - 1 : 0;
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

  /** The matrices of one chain: their names and shapes. The lowest of stacked layers has no `ih`, which comes last. */
  get matrices(): { readonly name: MatrixName; readonly shape: readonly [number, number] }[] {
    const { cell, hidden, projection } = this.#attrs;
    const gates = cell.recurrentGates.length;
    const width = this.stateWidth(0);
    return [
      ...(gates > 0 ? [{ name: 'hh' as const, shape: [gates * hidden, width] as const }] : []),
      ...(cell.projects ? [{ name: 'hr' as const, shape: [projection, hidden] as const }] : []),
      ...(this.stacked ? [{ name: 'ih' as const, shape: [cell.gates.length * hidden, width] as const }] : []),
    ];
  }

  /** How many of them a chain has, and all together. */
  matricesOf(chain: number): number {
    return this.matrices.length - (this.stacked && chain === 0 ? 1 : 0);
  }

  get matrixCount(): number {
    return this.chains * this.matrices.length - (this.stacked ? 1 : 0);
  }

  /**
   * The place of a matrix that a chain multiplies by among those of all chains. On the way back a layer takes what `ih` of the
   * layer above, transposed, passes down. What the lowest has no use for, or then the last, is that of the next to it, since
   * chains lie at equal distances in the packed weights, and is not read.
   */
  matrixAt(chain: number, matrix: number, transposed = false): number {
    const { name } = this.matrices[matrix];
    const owner =
      name === 'ih' ? Math.min(Math.max(transposed ? chain + 1 : chain, 1), this.chains - 1) : chain;
    return owner * this.matrices.length + matrix - (this.stacked && owner > 0 ? 1 : 0);
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

/**
 * Of one row and step of one chain: the products, and of each unit the cell's update or derivative.
 * @param edge of the layer that has none below, or on the way back none above.
 */
export function flopOf(layout: RecurrentLayout, phases: readonly Phase[], edge = false): number {
  const each = phases.map((phase) => {
    const all = phase.products.flatMap((product) => product.terms);
    const terms = edge ? all.filter(({ matrix }) => !matrix.startsWith('ih')) : all;
    const depth = terms.reduce((total, term) => total + layout.width(term.depth), 0);
    return layout.width(phase.width) * (2 * depth + operationsOf(phase));
  });
  return each.reduce((a, b) => a + b, 0);
}

/** Inputs that both recurrent ops have. */
export interface Roles<T> {
  readonly stash: T;
  /** As they were given, one chain's after the other's. */
  readonly matrices: readonly T[];
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
  const count = layout.matrixCount;
  const matrices = Array.from({ length: count }, take);
  const packed = count > 0 ? take() : undefined;
  const largest = count > 0 && attrs.precision === 'int8' ? take() : undefined;
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
