// The weights of a recurrent layer, laid out in the order in which a pass of its time loop reads them. An op of its own,
// so that the segments of a layer share it, and a plan whose weights rest does it once.
import type { Phase } from '../cells/phases.ts';
import { abs } from '../expr/arith.ts';
import type { Value } from '../graph/value.ts';
import { apply } from './apply.ts';
import { readingsOf, type Reading } from './phase_wgsl.ts';
import { matrixOf, RecurrentLayout, type LayoutAttrs } from './recurrent_layout.ts';
import { packOp, type PackAttrs, type PackBlocks } from './pack.ts';
import { concat, max } from './structure.ts';
import { QUAD_WORDS, quadsOf } from './weight_precision.ts';

/** Where each phase's weights lie, packed, in quads of k. */
export interface Packing {
  readonly phases: readonly { readonly readings: readonly Reading[]; readonly starts: readonly number[] }[];
  readonly perChain: number;
}

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
  return { phases, perChain: next };
}

/** Quads of each reading that one of the invocations takes which share its sums over k. */
export const sliceOf = (readings: readonly Reading[], slices: number): number =>
  Math.ceil(Math.max(0, ...readings.map(({ depth }) => quadsOf(depth))) / slices);

/** Quads of all phases' weights that are such an invocation's own, of a unit. */
export const shareOf = ({ phases }: Packing, slices: number): number =>
  phases.reduce(
    (sum, { readings }) => sum + readings.flatMap(({ takes }) => takes).length * sliceOf(readings, slices),
    0,
  );

/** Words of the packed weights of a pass, of all chains. */
export function packedSize(layout: RecurrentLayout, backward: boolean): number {
  const words = QUAD_WORDS[layout.precision];
  return words * Math.max(1, layout.chains * packingOf(layout, backward).perChain);
}

/**
 * The matrices of all chains, packed for a pass, and with int8 the largest magnitude of each of their rows; nothing for
 * cells that have none.
 */
export function packWeights(attrs: LayoutAttrs, matrices: readonly Value[], backward: boolean): Value[] {
  if (matrices.length === 0) return [];
  const layout = new RecurrentLayout(attrs);
  const { precision } = layout;
  const largest = precision === 'int8' ? [concat(matrices.map((matrix) => max(abs(matrix), 1)))] : [];
  const own: PackAttrs = {
    precision,
    size: packedSize(layout, backward),
    blocks: blocksOf(layout, attrs.hidden, backward),
    matrices: matrices.length,
  };
  return [apply(packOp, own, [...matrices, ...largest]), ...largest];
}

/** A part of a matrix, `units` columns of `depth` rows that a product sums over, and where it goes. */
interface Piece {
  readonly matrix: number;
  readonly part: number;
  readonly transposed: boolean;
  readonly depth: number;
  readonly units: number;
  /** Parts that take turns, quad by quad. */
  readonly takes: number;
  /** In quads, within its chain. */
  readonly start: number;
  /** Of all rows of a chain's matrices, the number of its first; one that is transposed has none. */
  readonly row: number;
}

function piecesOf(layout: RecurrentLayout, backward: boolean): Piece[] {
  const packed = packingOf(layout, backward).phases;
  return phasesOf(layout, backward).flatMap((phase, p) => {
    const units = layout.width(phase.width);
    const { readings, starts } = packed[p];
    return readings.flatMap(({ takes, depth }, i) =>
      takes.map(({ term }, take): Piece => {
        const { matrix, part, transposed } = matrixOf(layout, term);
        return {
          matrix,
          part,
          transposed,
          depth,
          units,
          takes: takes.length,
          start: starts[i] + take * units,
          row: layout.matrixRows.before[matrix] + part * units,
        };
      }),
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

function blocksOf(layout: RecurrentLayout, hidden: number, backward: boolean): PackBlocks[] {
  const { perChain } = packingOf(layout, backward);
  const runs = runsOf(piecesOf(layout, backward));
  return Array.from({ length: layout.chains }, (_, chain) => chain).flatMap((chain) =>
    runs.map((run): PackBlocks => {
      const [piece] = run;
      const { depth, units, takes, start } = piece;
      const { size, first, row, column } = sourceOf(piece, layout, hidden);
      return {
        input: layout.matrixAt(chain, piece.matrix, piece.transposed),
        count: run.length,
        depth,
        units,
        source: { first, strides: [size, row, column] },
        target: {
          first: chain * perChain + start,
          strides: [run.length > 1 ? run[1].start - start : 0, takes * units, 1],
        },
        scale: chain * layout.matrixRows.all + piece.row,
      };
    }),
  );
}
