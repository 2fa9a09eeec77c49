// The weights of a recurrent layer, laid out in the order in which a pass of its time loop reads them. An op of its own,
// so that the segments of a layer share it, and a plan whose weights rest does it once.
import type { Phase } from '../cells/phases.ts';
import { bindDense, dispatch, type Dispatch, type Operand } from '../graph/launch.ts';
import { defineOp, type Op, type Placed, type Value } from '../graph/value.ts';
import { pack_weight } from '../../shaders/gen/pack_weight.ts';
import { apply } from './apply.ts';
import { readingsOf, type Reading } from './phase_wgsl.ts';
import { RecurrentLayout, type LayoutAttrs } from './recurrent_layout.ts';
import { gridFor } from './wgsl_expression.ts';

/** Where each phase's weights lie, packed, in vec4s. */
export interface Packing {
  readonly phases: readonly { readonly readings: readonly Reading[]; readonly starts: readonly number[] }[];
  readonly perDirection: number;
}

const quadsOf = (depth: number): number => Math.ceil(depth / 4);

const phasesOf = (layout: RecurrentLayout, backward: boolean): readonly Phase[] =>
  backward ? layout.program.backward : layout.forward;

export function packingOf(layout: RecurrentLayout, backward: boolean): Packing {
  let next = 0;
  const phases = phasesOf(layout, backward).map((phase) => {
    const readings = readingsOf(layout, phase);
    const starts = readings.map(({ depth, takes }) => {
      const start = next;
      next += quadsOf(depth) * takes.length * layout.width(phase.width);
      return start;
    });
    return { readings, starts };
  });
  return { phases, perDirection: next };
}

/** Elements of the packed weights of a pass, of all directions. */
export function packedSize(layout: RecurrentLayout, backward: boolean): number {
  return Math.max(4, 4 * layout.directions * packingOf(layout, backward).perDirection);
}

export interface PackAttrs extends LayoutAttrs {
  /** Which pass of the time loop they are for. */
  readonly backward: boolean;
}

/** The matrices of all directions, packed for a pass; nothing for cells that have none. */
export function packWeights(attrs: LayoutAttrs, matrices: readonly Value[], backward: boolean): Value[] {
  if (matrices.length === 0) return [];
  // Of the attributes those alone that matter, so that what differs in others shares it.
  const { cell, hidden, projection, directions, bias, masked } = attrs;
  return [apply(packOp, { cell, hidden, projection, directions, bias, masked, backward }, matrices)];
}

export const packOp: Op<PackAttrs> = /* @__PURE__ */ defineOp({
  name: 'recurrent_pack',
  summary: 'weight matrices of all directions in the order in which a pass of the time loop reads them',
  infer: (attrs) => [{ shape: [packedSize(new RecurrentLayout(attrs), attrs.backward)], dtype: 'f32' }],
  cpu: packCPU,
  gpu: packGPU,
  tolerance: { absolute: 0, relative: 0 },
});

/** A part of a matrix, `units` columns of `depth` rows that a product sums over, and where it goes. */
interface Piece {
  readonly matrix: number;
  readonly part: number;
  readonly transposed: boolean;
  readonly depth: number;
  readonly units: number;
  /** Parts that take turns, quad by quad. */
  readonly takes: number;
  /** In vec4s, within its direction. */
  readonly start: number;
}

function piecesOf(layout: RecurrentLayout, backward: boolean): Piece[] {
  const packed = packingOf(layout, backward).phases;
  return phasesOf(layout, backward).flatMap((phase, p) => {
    const units = layout.width(phase.width);
    const { readings, starts } = packed[p];
    return readings.flatMap(({ takes, depth }, i) =>
      takes.map(({ term }, take): Piece => ({
        matrix: layout.matrices.findIndex(({ name }) => name === term.matrix.slice(0, 2)),
        part: Number.parseInt(term.matrix.slice(3), 10),
        transposed: term.matrix.endsWith("'"),
        depth,
        units,
        takes: takes.length,
        start: starts[i] + take * units,
      })),
    );
  });
}

/** Where a piece begins in its matrix, and the strides of its rows and columns. */
function sourceOf(
  { matrix, part, transposed }: Piece,
  layout: RecurrentLayout,
  hidden: number,
): { readonly size: number; readonly first: number; readonly row: number; readonly column: number } {
  const [, columns] = layout.matrices[matrix].shape;
  const size = hidden * columns;
  const [row, column] = transposed ? [columns, 1] : [1, columns];
  return { size, first: part * size, row, column };
}

function packCPU(attrs: PackAttrs, inputs: readonly Operand[], [output]: readonly Operand[]): void {
  const layout = new RecurrentLayout(attrs);
  const { perDirection } = packingOf(layout, attrs.backward);
  const pieces = piecesOf(layout, attrs.backward);
  for (let direction = 0; direction < layout.directions; direction++) {
    for (const piece of pieces) {
      const { data, view } = inputs[direction * layout.matrices.length + piece.matrix];
      const { first, row, column } = sourceOf(piece, layout, attrs.hidden);
      for (let k = 0; k < 4 * quadsOf(piece.depth); k++) {
        const quad = direction * perDirection + piece.start + Math.floor(k / 4) * piece.takes * piece.units;
        for (let unit = 0; unit < piece.units; unit++) {
          const at = view.offset + first + k * row + unit * column;
          output.data[output.view.offset + 4 * (quad + unit) + (k % 4)] = k < piece.depth ? data[at] : 0;
        }
      }
    }
  }
}

/** Pieces that lie at equal distances in their matrix and in the result: one launch packs them. */
function runsOf(pieces: readonly Piece[]): Piece[][] {
  const runs: Piece[][] = [];
  for (const piece of pieces) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const alike =
      last !== undefined &&
      (['matrix', 'transposed', 'depth', 'units', 'takes'] as const).every((key) => last[key] === piece[key]);
    const step = run !== undefined && run.length > 1 ? run[1].start - run[0].start : undefined;
    if (
      alike &&
      piece.part === last.part + 1 &&
      (step ?? piece.start - last.start) === piece.start - last.start
    )
      run?.push(piece);
    else runs.push([piece]);
  }
  return runs;
}

function packGPU({ attrs, inputs, outputs: [packed] }: Placed<PackAttrs>): Dispatch[] {
  const layout = new RecurrentLayout(attrs);
  const { perDirection } = packingOf(layout, attrs.backward);
  const runs = runsOf(piecesOf(layout, attrs.backward));
  const each = Array.from({ length: layout.directions }, (_, direction) => direction);
  return each.flatMap((direction) =>
    runs.map((run) => {
      const [piece] = run;
      const { depth, units, takes, start } = piece;
      const { size, first, row, column } = sourceOf(piece, layout, attrs.hidden);
      const matrix = inputs[direction * layout.matrices.length + piece.matrix];
      return dispatch(pack_weight, {
        bindings: { weight: bindDense(matrix), packed: bindDense(packed) },
        uniforms: {
          first,
          start: direction * perDirection + start,
          blocks: run.length,
          depth,
          units,
          strides: [size, row, column],
          packed: [run.length > 1 ? run[1].start - start : 0, takes * units, 1],
        },
        workgroups: gridFor(run.length * quadsOf(depth) * units, 64),
      });
    }),
  );
}
