// The schedule of a recurrent loop as data: which pseudo-layers it runs, what each step reads and writes, and where that lies.
// The interpreter of the CPU and the WGSL of the loop are printers of these addresses.
//
// P pseudo-layers (the directions of a layer, or stacked layers in a wavefront), T steps, B rows; H units, or W of a state.
//   reserve  (P, T, B, row)            pre-activations of the gates, then what else the backward pass reads: cuDNN's reserve space
//   states   per state (P, N, B, W)    training: N = T + 1 times, the second direction's from T down to 0; inference: a ring of
//                                      two, and after a single step that step's alone
//   carry    per state (P, B, W)       gradients of states on their way back; in inference the initial states of a single step
//   output   (T, B, D, W)              h of every step; D = 1 in a wavefront, of its last layer
//   vectors  (P, gates·H + weights·H)  bias_hh, then the weights of one number per unit
//   rows     (P, B, W) variational dropout's factors of h, then the mask (P, T, B)
//   scales   (P, rows of all matrices) int8: the largest magnitude of each row
import type { Cell } from '../cells/cell.ts';
import { operationsOf, type Phase, type Term } from '../cells/phases.ts';
import type { MatrixName, Place, Width } from '../cells/places.ts';
import type { CellProgram } from '../cells/program.ts';
import type { OperandCounts, Operands } from '../graph/operands.ts';
import type { WeightPrecision } from './weight_precision.ts';

export interface Schedule {
  /** `wavefront`: pseudo-layers are stacked layers, each a step behind the one below, on the way back a step ahead of it. */
  readonly arrangement: 'directions' | 'wavefront';
  /** `inference` saves neither activations nor the states of all times. */
  readonly form: 'training' | 'inference';
}

/** What decides how the tensors of a loop lie. */
export interface LoopAttrs {
  readonly cell: Cell;
  readonly hidden: number;
  /** The size of a projected h; 0 without one. */
  readonly projection: number;
  readonly pseudoLayers: number;
  /** Whether there is a `bias_hh`. */
  readonly bias: boolean;
  /** Whether steps may be masked. */
  readonly masked: boolean;
  readonly schedule: Schedule;
}

export type OperandName =
  | 'reserve'
  | 'initial'
  | 'states'
  | 'carry'
  | 'weights'
  | 'packed'
  | 'scales'
  | 'vectors'
  | 'rows'
  | 'seed'
  | 'dOutput';

export interface RecurrentAttrs extends LoopAttrs {
  /** Which of the model's random streams the cell draws from. */
  readonly stream: number;
  readonly operands: OperandCounts<OperandName>;
  /** The precision of the packed weights, where a backend's kernels read such. */
  readonly packed?: WeightPrecision;
}

export type RecurrentOperands<T> = Operands<OperandName, T>;

/** A number of elements: a factor times the extents that are known when a loop runs. */
export interface Extent {
  readonly factor: number;
  readonly of: readonly ('steps' | 'times' | 'batch')[];
}

const extent = (factor: number, ...of: Extent['of']): Extent => ({ factor, of });

export type TensorName = 'reserve' | 'states' | 'carry' | 'output' | 'vectors' | 'rows';

/** Where the elements of a place lie: the tensor is a matrix of rows of `width` elements, numbered in row-major order of the axes. */
export interface Address {
  readonly tensor: TensorName;
  /** Elements before the first row. */
  readonly base: Extent;
  /** The axes, slowest first. */
  readonly axes: readonly { readonly axis: 'layer' | 'time' | 'row'; readonly extent: Extent }[];
  readonly width: number;
  /** Where in its row the place begins. */
  readonly offset: number;
  /** The index on the axis of time, counted in the order of processing, relative to that of the step. */
  readonly step: 0 | 1;
  /** How that count runs over time: `mirrored` is from the last time to the first in the second direction, `ring` begins anew. */
  readonly order: 'forward' | 'mirrored' | 'ring';
  /** The pseudo-layer, relative to the one that reads: the one below, itself, the one above. */
  readonly layer: -1 | 0 | 1;
}

export class RecurrentLayout {
  readonly program: CellProgram;
  readonly pseudoLayers: number;
  readonly isWavefront: boolean;
  readonly isInference: boolean;
  /** Pseudo-layers whose h is in the output: in a wavefront the last one's alone. */
  readonly outputs: number;
  /** Elements of a row of the reserve space, and where in it each slot begins. */
  readonly row: number;
  readonly slotOffset: readonly number[];
  /** Units of the states before each, and of all. */
  readonly stateOffset: readonly number[];
  readonly stateUnits: number;
  /** Elements of one pseudo-layer's vectors, and where the weights of one number per unit begin in them. */
  readonly vectors: number;
  readonly weightOffset: number;
  readonly #attrs: LoopAttrs;

  constructor(attrs: LoopAttrs) {
    const { cell, bias, masked, pseudoLayers, schedule, hidden } = attrs;
    this.#attrs = attrs;
    this.isWavefront = schedule.arrangement === 'wavefront';
    this.isInference = schedule.form === 'inference';
    this.program = cell.program({ bias, masked, wavefront: this.isWavefront });
    this.pseudoLayers = pseudoLayers;
    this.outputs = this.isWavefront ? 1 : pseudoLayers;
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

  /** Elements of the rows tensor before the mask, for one batch row, and of all. */
  get factorsPerRow(): number {
    return this.#attrs.cell.dropsRecurrent ? this.pseudoLayers * this.stateWidth(0) : 0;
  }

  rowsSize(steps: number, batch: number): number {
    return (this.factorsPerRow + (this.#attrs.masked ? this.pseudoLayers * steps : 0)) * batch;
  }

  /** States of how many times are in memory. */
  stateTimes(steps: number): number {
    return this.isInference ? Math.min(2, steps) : steps + 1;
  }

  /** Where in time the states lie that a pseudo-layer has after so many of its steps. */
  stateTime(pseudoLayer: number, done: number, steps: number): number {
    return timeIndex(this.statesAt(0), pseudoLayer, done, this.stateTimes(steps));
  }

  /** Whether a pseudo-layer goes through time backwards: the second direction. */
  isReverse(pseudoLayer: number): boolean {
    return pseudoLayer > 0 && !this.isWavefront;
  }

  /**
   * The steps of the first pseudo-layer in the order in which a pass processes them. After the backward ones comes -1, which
   * finishes the gradients of the initial states. In a wavefront each layer is a step behind the one below: see `stepOf`.
   */
  waves(steps: number, backward: boolean): number[] {
    const count = steps + (this.isWavefront ? this.pseudoLayers - 1 : 0);
    const forward = Array.from({ length: count }, (_, wave) => wave);
    return backward ? [...forward.reverse(), -1] : forward;
  }

  /** The step of a pseudo-layer in a wave; the layer has none where it is out of range. */
  stepOf(wave: number, pseudoLayer: number): number {
    return this.isWavefront ? wave - pseudoLayer : wave;
  }

  phases(backward: boolean): readonly Phase[] {
    if (backward) return this.program.backward;
    return this.isInference ? this.program.inference : this.program.forward;
  }

  /** Where a place lies; undefined for what is no memory (random numbers). */
  addressOf({ kind, index }: Place): Address | undefined {
    switch (kind) {
      case 'slot':
        return this.#reserve(index);
      case 'following':
        return { ...this.#reserve(index), step: 1 };
      case 'above':
        return { ...this.#reserve(index), layer: 1 };
      case 'state':
        return this.statesAt(index);
      case 'after':
        return { ...this.statesAt(index), step: 1 };
      case 'below':
        return { ...this.statesAt(0), step: 1, layer: -1 };
      case 'carry':
        return this.carry(index);
      case 'output':
        return this.output;
      case 'bias':
        return this.#vector(index * this.#attrs.hidden);
      case 'weight':
        return this.#vector(this.weightOffset + index * this.#attrs.hidden);
      case 'keep':
        return {
          ...this.#address('rows', ['layer', 'row'], this.stateWidth(0)),
          base: extent(0),
        };
      case 'active':
        return {
          ...this.#address('rows', ['layer', 'time', 'row'], 1),
          base: extent(this.factorsPerRow, 'batch'),
        };
      default:
        return undefined;
    }
  }

  carry(state: number): Address {
    return {
      ...this.#address('carry', ['layer', 'row'], this.stateWidth(state)),
      base: extent(this.stateOffset[state] * this.pseudoLayers, 'batch'),
    };
  }

  get output(): Address {
    return this.#address('output', ['time', 'row', 'layer'], this.stateWidth(0));
  }

  #reserve(slot: number): Address {
    const address = this.#address('reserve', ['layer', 'time', 'row'], this.row);
    return { ...address, offset: this.slotOffset[slot] };
  }

  /** A state before a step. */
  statesAt(state: number): Address {
    return {
      ...this.#address('states', ['layer', 'time', 'row'], this.stateWidth(state)),
      base: extent(this.stateOffset[state] * this.pseudoLayers, 'times', 'batch'),
    };
  }

  #vector(offset: number): Address {
    return { ...this.#address('vectors', ['layer'], this.vectors), offset };
  }

  #address(tensor: TensorName, axes: readonly ('layer' | 'time' | 'row')[], width: number): Address {
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
      order: isRing ? 'ring' : this.isReverse(1) && this.pseudoLayers > 1 ? 'mirrored' : 'forward',
      layer: 0,
    };
  }

  /** The matrices of one pseudo-layer: names and shapes. The lowest layer of a wavefront has no `ih`, which comes last. */
  get matrices(): { readonly name: MatrixName; readonly shape: readonly [number, number] }[] {
    const { cell, hidden, projection } = this.#attrs;
    const gates = cell.recurrentGates.length;
    const width = this.stateWidth(0);
    return [
      ...(gates > 0 ? [{ name: 'hh' as const, shape: [gates * hidden, width] as const }] : []),
      ...(cell.projects ? [{ name: 'hr' as const, shape: [projection, hidden] as const }] : []),
      ...(this.isWavefront
        ? [{ name: 'ih' as const, shape: [cell.gates.length * hidden, width] as const }]
        : []),
    ];
  }

  matricesOf(pseudoLayer: number): number {
    return this.matrices.length - (this.isWavefront && pseudoLayer === 0 ? 1 : 0);
  }

  get matrixCount(): number {
    return this.pseudoLayers * this.matrices.length - (this.isWavefront ? 1 : 0);
  }

  /**
   * Which of the matrices of all pseudo-layers one multiplies by. Backward, a layer of a wavefront multiplies by the transpose of
   * `ih` of the layer above. The lowest layer forward, and the last backward, has no such matrix: it gets a neighbour's, since
   * packed weights of all pseudo-layers have one size, and does not read it.
   */
  matrixAt(pseudoLayer: number, matrix: number, transposed = false): number {
    const { name } = this.matrices[matrix];
    const wanted = transposed ? pseudoLayer + 1 : pseudoLayer;
    const owner = name === 'ih' ? Math.min(Math.max(wanted, 1), this.pseudoLayers - 1) : pseudoLayer;
    return owner * this.matrices.length + matrix - (this.isWavefront && owner > 0 ? 1 : 0);
  }

  /** Rows of the matrices before each, and of all, of one pseudo-layer. */
  get matrixRows(): { readonly before: readonly number[]; readonly all: number } {
    let all = 0;
    const before = this.matrices.map(({ shape: [rows] }) => {
      all += rows;
      return all - rows;
    });
    return { before, all };
  }
}

/** A place in numbers: element = base + layer · p + time · t + row · b + unit. */
export interface Strides {
  readonly base: number;
  readonly layer: number;
  readonly time: number;
  readonly row: number;
}

/** An address for given extents. */
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

/** The index on an axis of `extent` times of what a pseudo-layer reads at a count. */
export function timeIndex({ order }: Address, pseudoLayer: number, count: number, times: number): number {
  if (order === 'ring') return count % times;
  return order === 'mirrored' && pseudoLayer > 0 ? times - 1 - count : count;
}

/** Which of a pseudo-layer's matrices a term multiplies by, and which part of it. */
export function matrixOf(
  layout: RecurrentLayout,
  { matrix: { matrix, part, transposed } }: Term,
): { readonly matrix: number; readonly part: number; readonly transposed: boolean } {
  return { matrix: layout.matrices.findIndex(({ name }) => name === matrix), part, transposed };
}

/**
 * FLOP of one row and step of one pseudo-layer: the products, and for each unit the cell's update or derivative.
 * @param edge For the layer of a wavefront that has none below or, backward, none above.
 */
export function flopOf(layout: RecurrentLayout, phases: readonly Phase[], edge = false): number {
  const each = phases.map((phase) => {
    const all = phase.products.flatMap((product) => product.terms);
    const terms = edge ? all.filter(({ matrix }) => matrix.matrix !== 'ih') : all;
    const depth = terms.reduce((total, term) => total + layout.width(term.depth), 0);
    return layout.width(phase.width) * (2 * depth + operationsOf(phase));
  });
  return each.reduce((a, b) => a + b, 0);
}
