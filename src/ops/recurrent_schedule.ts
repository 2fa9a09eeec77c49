// The schedule of a recurrent loop as data: its pseudo-layers, the operands of each step, and their addresses.
// The CPU interpreter and the WGSL printer both read these addresses.
//
// P pseudo-layers (the directions of a layer, or stacked layers in a wavefront), T steps, B rows; H units, or W of a state.
//   reserve  (P, T, B, row)            gate pre-activations, then what else the backward pass reads: cuDNN's reserve space
//   states   per state (P, N, B, W)    the states at N times. Training: N = T + 1; the second direction runs from T down to 0.
//                                      Inference: a ring of N = min(2, T) times
//   carry    per state (P, B, W)       backward: gradients of states, passed from step to step; forward: the initial states
//   output   (T, B, D, W)              h of every step; in a wavefront D = 1, the last layer's h
//   vectors  (P, gates·H + weights·H)  bias_hh, then the weights of one number per unit
//   rows     (P, B, W) variational dropout's factors of h, then the mask (P, T, B)
//   scales   (P, rows of all matrices) int8: the largest magnitude of each row
import type { Cell } from '../cells/cell.ts';
import type { Phase, Term } from '../cells/phases.ts';
import type { MatrixName, Place } from '../cells/places.ts';
import type { CellProgram } from '../cells/program.ts';
import type { Width } from '../cells/widths.ts';
import { GatewiseError } from '../core/errors.ts';
import { countOperations } from '../expr/expr.ts';
import type { OperandCounts, Operands } from '../graph/operands.ts';
import type { WeightPrecision } from './weight_precision.ts';

/** The properties that determine the layout of a loop's tensors. */
export interface LoopAttrs {
  readonly cell: Cell;
  readonly hidden: number;
  /** Size of a projected h; 0 without a projection. */
  readonly projection: number;
  readonly pseudoLayers: number;
  /** Whether the operands include `bias_hh`. */
  readonly bias: boolean;
  /** Whether steps may be masked. */
  readonly masked: boolean;
  /** Whether pseudo-layers are stacked layers, each one step behind the layer below (backward: behind the layer above). */
  readonly wavefront: boolean;
  /** Whether the loop saves neither activations nor the states of all times. */
  readonly inference: boolean;
}

const NO_OPERANDS = {
  reserve: [],
  initial: [],
  states: [],
  carry: [],
  weights: [],
  packed: [],
  scales: [],
  vectors: [],
  rows: [],
  seed: [],
  dOutput: [],
};
export type OperandName = keyof typeof NO_OPERANDS;

/** All operands of a loop, in input order; each may be absent or repeated. */
export const loopOperands = <T>(given: Partial<RecurrentOperands<T>>): RecurrentOperands<T> => ({
  ...NO_OPERANDS,
  ...given,
});

export interface RecurrentAttrs extends LoopAttrs {
  /** Number of the random stream that the cell draws from. */
  readonly stream: number;
  readonly operands: OperandCounts<OperandName>;
  /** Precision of the packed weights, if the backend's kernels read packed weights. */
  readonly packed?: WeightPrecision;
}

export type RecurrentOperands<T> = Operands<OperandName, T>;

/** A number of elements: a factor times extents that are known at run time. */
export interface Extent {
  readonly factor: number;
  readonly of: readonly ('steps' | 'times' | 'batch')[];
}

const extent = (factor: number, ...of: Extent['of']): Extent => ({ factor, of });

type Axis = 'layer' | 'time' | 'row';

export type TensorName = 'reserve' | 'states' | 'carry' | 'output' | 'vectors' | 'rows';

/** The address of a place: the tensor is a matrix with rows of `width` elements, numbered in row-major order of the axes. */
export interface Address {
  readonly tensor: TensorName;
  /** Elements before the first row. */
  readonly base: Extent;
  /** The axes, slowest first. */
  readonly axes: readonly { readonly axis: Axis; readonly extent: Extent }[];
  readonly width: number;
  /** Offset of the place in its row. */
  readonly offset: number;
  /** Index on the time axis, counted in processing order, relative to the step. */
  readonly step: 0 | 1;
  /** How that index maps to memory: `mirrored` reverses it in the second direction, `ring` wraps around. */
  readonly order: 'forward' | 'mirrored' | 'ring';
  /** The pseudo-layer, relative to the reader: -1 is the layer below, 0 itself, 1 the layer above. */
  readonly layer: -1 | 0 | 1;
}

export interface Matrix {
  readonly name: MatrixName;
  readonly shape: readonly [rows: number, columns: number];
}

/** The offsets of contiguous pieces, and their total size. */
interface Offsets {
  readonly before: readonly number[];
  readonly all: number;
}

function offsetsOf(sizes: readonly number[]): Offsets {
  let all = 0;
  const before = sizes.map((size) => {
    all += size;
    return all - size;
  });
  return { before, all };
}

export class RecurrentLayout {
  readonly program: CellProgram;
  readonly pseudoLayers: number;
  readonly isWavefront: boolean;
  readonly isInference: boolean;
  /** Number of pseudo-layers whose h is in the output: in a wavefront only the last. */
  readonly outputs: number;
  /** Elements of a row of the reserve space, and the offset of each slot in it. */
  readonly row: number;
  readonly slotOffset: readonly number[];
  /** Units of all states. */
  readonly stateUnits: number;
  readonly #stateOffset: readonly number[];
  /** Elements of one pseudo-layer's vectors, and the offsets of the per-unit weights in them. */
  readonly vectors: number;
  readonly weightOffset: number;
  readonly #attrs: LoopAttrs;

  constructor(attrs: LoopAttrs) {
    const { cell, bias, masked, pseudoLayers, wavefront, inference, hidden } = attrs;
    this.#attrs = attrs;
    this.isWavefront = wavefront;
    this.isInference = inference;
    this.program = cell.program({ bias, masked, wavefront });
    this.pseudoLayers = pseudoLayers;
    this.outputs = wavefront ? 1 : pseudoLayers;
    const offsets = (widths: readonly Width[]) => offsetsOf(widths.map((width) => this.width(width)));
    ({ before: this.slotOffset, all: this.row } = offsets(this.program.slots));
    ({ before: this.#stateOffset, all: this.stateUnits } = offsets(this.program.stateWidths));
    this.weightOffset = bias ? cell.recurrentGates.length * hidden : 0;
    this.vectors = this.weightOffset + cell.weights.length * hidden;
  }

  width(width: Width): number {
    return width === 'hidden' ? this.#attrs.hidden : this.#attrs.projection;
  }

  stateWidth(state: number): number {
    return this.width(this.program.stateWidths[state]);
  }

  /** Elements of the `rows` tensor per batch row, without the mask. */
  get factorsPerRow(): number {
    return this.#attrs.cell.dropsRecurrent ? this.pseudoLayers * this.stateWidth(0) : 0;
  }

  rowsSize(steps: number, batch: number): number {
    return (this.factorsPerRow + (this.#attrs.masked ? this.pseudoLayers * steps : 0)) * batch;
  }

  /** Number of times whose states are in memory. */
  stateTimes(steps: number): number {
    return this.isInference ? Math.min(2, steps) : steps + 1;
  }

  /** The time index of a pseudo-layer's states after a number of its steps. */
  stateTime(pseudoLayer: number, done: number, steps: number): number {
    return timeIndex(this.addressOf({ kind: 'state', index: 0 }), pseudoLayer, done, this.stateTimes(steps));
  }

  /** Whether a pseudo-layer runs backwards in time: the second direction. */
  isReverse(pseudoLayer: number): boolean {
    return pseudoLayer > 0 && !this.isWavefront;
  }

  /**
   * The waves of a pass, in processing order: in wave n the first pseudo-layer is at step n. A wavefront has more waves than
   * steps, since each layer is one step behind the layer below (`stepOf`). The backward pass ends with wave -1, which finishes
   * the gradients of the initial states.
   */
  waves(steps: number, backward: boolean): number[] {
    const count = steps + (this.isWavefront ? this.pseudoLayers - 1 : 0);
    const forward = Array.from({ length: count }, (_, wave) => wave);
    return backward ? [...forward.reverse(), -1] : forward;
  }

  /** The step of a pseudo-layer in a wave. If it is out of range, the layer is idle. */
  stepOf(wave: number, pseudoLayer: number): number {
    return this.isWavefront ? wave - pseudoLayer : wave;
  }

  phases(backward: boolean): readonly Phase[] {
    if (backward) return this.program.backward;
    return this.isInference ? this.program.inference : this.program.forward;
  }

  /** The address of a place in memory. @throws GatewiseError `internal` for others, such as random numbers. */
  addressOf({ kind, index }: Pick<Place, 'kind' | 'index'>): Address {
    const { hidden } = this.#attrs;
    switch (kind) {
      case 'slot':
      case 'following':
      case 'above':
        return {
          ...this.#address('reserve', ['layer', 'time', 'row'], this.row),
          offset: this.slotOffset[index],
          step: kind === 'following' ? 1 : 0,
          layer: kind === 'above' ? 1 : 0,
        };
      case 'state':
      case 'after':
      case 'below':
        return {
          ...this.#address('states', ['layer', 'time', 'row'], this.stateWidth(index)),
          base: extent(this.#stateOffset[index] * this.pseudoLayers, 'times', 'batch'),
          step: kind === 'state' ? 0 : 1,
          layer: kind === 'below' ? -1 : 0,
        };
      case 'carry':
        return {
          ...this.#address('carry', ['layer', 'row'], this.stateWidth(index)),
          base: extent(this.#stateOffset[index] * this.pseudoLayers, 'batch'),
        };
      case 'output':
        return this.#address('output', ['time', 'row', 'layer'], this.stateWidth(0));
      case 'bias':
        return { ...this.#address('vectors', ['layer'], this.vectors), offset: index * hidden };
      case 'weight':
        return {
          ...this.#address('vectors', ['layer'], this.vectors),
          offset: this.weightOffset + index * hidden,
        };
      case 'keep':
        return this.#address('rows', ['layer', 'row'], this.stateWidth(0));
      case 'active':
        return {
          ...this.#address('rows', ['layer', 'time', 'row'], 1),
          base: extent(this.factorsPerRow, 'batch'),
        };
      default:
        throw new GatewiseError('internal', `recurrent: ${kind}${index} is not in memory`);
    }
  }

  #address(tensor: TensorName, axes: readonly Axis[], width: number): Address {
    const extents = {
      layer: extent(tensor === 'output' ? this.outputs : this.pseudoLayers),
      time: extent(1, tensor === 'states' ? 'times' : 'steps'),
      row: extent(1, 'batch'),
    };
    const isRing = tensor === 'states' && this.isInference;
    return {
      tensor,
      base: extent(0),
      axes: axes.map((axis) => ({ axis, extent: extents[axis] })),
      width,
      offset: 0,
      step: 0,
      order: isRing ? 'ring' : this.pseudoLayers > 1 && !this.isWavefront ? 'mirrored' : 'forward',
      layer: 0,
    };
  }

  /** Names and shapes of one pseudo-layer's matrices. `ih` is last; a wavefront's lowest layer has none. */
  get matrices(): readonly Matrix[] {
    const { cell, hidden, projection } = this.#attrs;
    const gates = cell.recurrentGates.length;
    const width = this.stateWidth(0);
    const matrices: Matrix[] = [];
    if (gates > 0) matrices.push({ name: 'hh', shape: [gates * hidden, width] });
    if (cell.projects) matrices.push({ name: 'hr', shape: [projection, hidden] });
    if (this.isWavefront) matrices.push({ name: 'ih', shape: [cell.gates.length * hidden, width] });
    return matrices;
  }

  matricesOf(pseudoLayer: number): number {
    return this.matrices.length - (this.isWavefront && pseudoLayer === 0 ? 1 : 0);
  }

  /**
   * The index of a term's matrix among the matrices of all pseudo-layers. Backward, a wavefront layer multiplies by the transpose
   * of the `ih` of the layer above. The lowest layer forward, and the last layer backward, has no such matrix and never reads
   * one: it gets a neighbour's, since the packed weights of all pseudo-layers have equal size.
   */
  matrixAt(pseudoLayer: number, matrix: number, transposed = false): number {
    const { name } = this.matrices[matrix];
    const wanted = transposed ? pseudoLayer + 1 : pseudoLayer;
    const owner = name === 'ih' ? Math.min(Math.max(wanted, 1), this.pseudoLayers - 1) : pseudoLayer;
    return owner * this.matrices.length + matrix - (this.isWavefront && owner > 0 ? 1 : 0);
  }

  /** Row offsets of the matrices of one pseudo-layer, and their total. */
  get matrixRows(): Offsets {
    return offsetsOf(this.matrices.map(({ shape: [rows] }) => rows));
  }
}

/** A numeric address: element = base + layer · p + time · t + row · b + unit. */
export interface Strides {
  readonly base: number;
  readonly layer: number;
  readonly time: number;
  readonly row: number;
}

/** Evaluates an address for the given extents. */
export function stridesOf(
  { base, axes, width, offset }: Address,
  sizes: Readonly<Record<Extent['of'][number], number>>,
): Strides {
  const valueOf = ({ factor, of }: Extent): number => of.reduce((size, name) => size * sizes[name], factor);
  const strides = { layer: 0, time: 0, row: 0 };
  let stride = width;
  for (const { axis, extent: size } of axes.toReversed()) {
    strides[axis] = stride;
    stride *= valueOf(size);
  }
  return { base: valueOf(base) + offset, ...strides };
}

/** The index on a time axis of `times` entries at which a pseudo-layer is after `count` of its steps. */
export function timeIndex({ order }: Address, pseudoLayer: number, count: number, times: number): number {
  if (order === 'ring') return count % times;
  return order === 'mirrored' && pseudoLayer > 0 ? times - 1 - count : count;
}

/** The matrix, and the part of it, that a term multiplies by. */
export function matrixOf(
  layout: RecurrentLayout,
  { matrix: { matrix, part, transposed } }: Term,
): { readonly matrix: number; readonly part: number; readonly transposed: boolean } {
  return { matrix: layout.matrices.findIndex(({ name }) => name === matrix), part, transposed };
}

/**
 * FLOP per row and step of one pseudo-layer: the products, the means, and the update or derivative of each unit. Operations that
 * a mean shares with another or with the update count for each, since each is a loop of its own.
 * @param edge True for the wavefront layer without a neighbour below (forward) or above (backward).
 */
export function flopOf(layout: RecurrentLayout, phases: readonly Phase[], edge = false): number {
  const sum = (flop: readonly number[]): number => flop.reduce((a, b) => a + b, 0);
  return sum(
    phases.flatMap(({ width, products, means, writes }) => {
      const all = products.flatMap(({ terms }) => terms);
      const terms = edge ? all.filter(({ matrix }) => matrix.matrix !== 'ih') : all;
      const depth = sum(terms.map((term) => layout.width(term.depth)));
      return [
        layout.width(width) * (2 * depth + countOperations(writes.map(({ value }) => value))),
        ...terms.map((term) => layout.width(term.depth) * countOperations([term.source])),
        ...means.map((mean) => layout.width(mean.width) * (countOperations([mean.of]) + 1)),
      ];
    }),
  );
}
