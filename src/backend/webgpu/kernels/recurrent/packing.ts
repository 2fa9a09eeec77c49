// The layout of a recurrent loop's packed weights: phase, then vector, then quad of k over all matrices that multiply the vector,
// then unit. Adjacent invocations own adjacent units, so their loads of quads are contiguous.
import type { Phase, Term } from '../../../../cells/phases.ts';
import { placesIn } from '../../../../cells/places.ts';
import { inputsOf, type Expr } from '../../../../expr/expr.ts';
import { apply, type Value } from '../../../../graph/value.ts';
import { packOp, type PackAttrs, type PackBlocks } from '../../../../ops/pack.ts';
import { matrixOf, type RecurrentLayout } from '../../../../ops/recurrent_schedule.ts';
import { QUAD_WORDS, quadsOf, type WeightPrecision } from '../../../../ops/weight_precision.ts';

/** A matrix that multiplies a vector, and the product that it adds to. */
interface MatrixRead {
  readonly term: Term;
  readonly product: number;
}

/** A vector that the products of a phase read, and the matrices that multiply it. */
export interface VectorReads {
  readonly source: Expr;
  readonly depth: number;
  readonly reads: readonly MatrixRead[];
  /** Offset of its weights in a pseudo-layer's packed weights, in quads. */
  readonly start: number;
}

/** A phase, and the vectors that its products read. */
export interface PackedPhase {
  readonly phase: Phase;
  readonly vectors: readonly VectorReads[];
}

export interface Packing {
  readonly phases: readonly PackedPhase[];
  readonly quadsPerLayer: number;
}

const keyOf = ({ matrix, source }: Term): string => `${matrix.name} ${inputsOf([source]).join()}`;
const byKey = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });

/** The matrices of each vector. Equally many matrices multiply each vector, since the kernel unrolls them alike. */
function matricesByVector({ products }: Phase): (readonly MatrixRead[])[] {
  const all = products.flatMap(({ terms }, product) => terms.map((term) => ({ term, product })));
  const bySource = new Map<Expr, MatrixRead[]>();
  for (const read of all) bySource.set(read.term.source, [...(bySource.get(read.term.source) ?? []), read]);
  const groups = [...bySource.values()].map((reads) =>
    reads.toSorted((a, b) => byKey(a.term.matrix.name, b.term.matrix.name)),
  );
  const isRectangle = groups.every(({ length }) => length === groups[0].length);
  // Sorted by matrix, so that training and inference use the same packing.
  return (isRectangle ? groups : all.map((read) => [read])).toSorted(([a], [b]) =>
    byKey(keyOf(a.term), keyOf(b.term)),
  );
}

export function packingOf(layout: RecurrentLayout, backward: boolean): Packing {
  let quadsPerLayer = 0;
  const phases = layout.phases(backward).map((phase) => ({
    phase,
    vectors: matricesByVector(phase).map((reads): VectorReads => {
      const [{ term }] = reads;
      const depth = layout.width(term.depth);
      const start = quadsPerLayer;
      quadsPerLayer += quadsOf(depth) * reads.length * layout.width(phase.width);
      return { source: term.source, depth, reads, start };
    }),
  }));
  return { phases, quadsPerLayer };
}

/**
 * The vectors as kernels read them: those that follow each other in memory, as their weights do, are one longer vector, so that the
 * loop over k is compiled once. So are the gradients of the gates whose sum over k is dh.
 */
export function joinVectors(layout: RecurrentLayout, { phase, vectors }: PackedPhase): PackedPhase {
  const joined: VectorReads[] = [];
  for (const vector of vectors) {
    const before = joined.at(-1);
    if (before === undefined || !isContinued(layout, before, vector)) joined.push(vector);
    else joined[joined.length - 1] = { ...before, depth: before.depth + vector.depth };
  }
  return { phase, vectors: joined };
}

/** Whether `next` begins in memory where `vector` ends, and adds to the same products. */
function isContinued(layout: RecurrentLayout, vector: VectorReads, next: VectorReads): boolean {
  const [places, nextPlaces] = [vector, next].map(({ source }) => placesIn([source]));
  // A factor of variational dropout has an address of its own.
  if (places.length > 1 || nextPlaces.length > 1 || places[0].kind !== nextPlaces[0].kind) return false;
  const [address, nextAddress] = [places[0], nextPlaces[0]].map((place) => layout.addressOf(place));
  const end = { ...address, offset: address.offset + vector.depth };
  const productsOf = ({ reads }: VectorReads): string => reads.map(({ product }) => product).join();
  return (
    vector.depth % 4 === 0 &&
    productsOf(vector) === productsOf(next) &&
    JSON.stringify(end) === JSON.stringify(nextAddress)
  );
}

/** Quads of the longest vector per invocation, if `splits` invocations share each sum over k. */
export const quadsOfSplit = (vectors: readonly VectorReads[], splits: number): number =>
  Math.ceil(Math.max(0, ...vectors.map(({ depth }) => quadsOf(depth))) / splits);

/** Quads of weights, over all phases, that one such invocation reads per unit. */
export const quadsPerInvocation = (phases: Packing['phases'], splits: number): number =>
  phases.reduce(
    (sum, { vectors }) => sum + vectors.flatMap(({ reads }) => reads).length * quadsOfSplit(vectors, splits),
    0,
  );

/** The packed matrices of all pseudo-layers for a pass. @param scales With int8, the largest magnitudes of all rows. */
export function packWeights(
  layout: RecurrentLayout,
  backward: boolean,
  precision: WeightPrecision,
  matrices: readonly Value[],
  scales: readonly Value[],
): Value {
  const packing = packingOf(layout, backward);
  const { pseudoLayers } = layout;
  const quads = Math.max(1, pseudoLayers * packing.quadsPerLayer);
  const layers = Array.from({ length: pseudoLayers }, (_, layer) =>
    joinBlocks(blocksOf(layout, packing, layer)),
  );
  const attrs: PackAttrs = {
    precision,
    size: QUAD_WORDS[precision] * quads,
    blocks: layers.flat(),
    matrices: matrices.length,
  };
  return apply(packOp, attrs, [...matrices, ...scales]);
}

/** The blocks of a pseudo-layer's matrices, in the order in which a pass reads them. */
function blocksOf(layout: RecurrentLayout, packing: Packing, layer: number): PackBlocks[] {
  return packing.phases.flatMap(({ phase, vectors }) => {
    const units = layout.width(phase.width);
    return vectors.flatMap(({ reads, depth, start }) =>
      reads.map(({ term }, i): PackBlocks => {
        const { matrix, part, transposed } = matrixOf(layout, term);
        const [, columns] = layout.matrices[matrix].shape;
        // Parts of hh and ih are H rows high; the only part of hr begins at 0.
        const size = layout.width('hidden') * columns;
        const first = layer * packing.quadsPerLayer + start + i * units;
        return {
          input: layout.matrixAt(layer, matrix, transposed),
          count: 1,
          depth,
          units,
          source: { first: part * size, strides: transposed ? [size, columns, 1] : [size, 1, columns] },
          target: { first, strides: [0, reads.length * units, 1] },
          scale: layer * layout.matrixRows.all + layout.matrixRows.before[matrix] + part * units,
        };
      }),
    );
  });
}

/** Merges blocks that have a constant stride in the matrix and in the result. */
function joinBlocks(blocks: readonly PackBlocks[]): PackBlocks[] {
  const joined: PackBlocks[] = [];
  for (const block of blocks) {
    const run = joined.at(-1);
    const next = run && joinedWith(run, block);
    if (next === undefined) joined.push(block);
    else joined[joined.length - 1] = next;
  }
  return joined;
}

function joinedWith(run: PackBlocks, block: PackBlocks): PackBlocks | undefined {
  const { source, target, count } = run;
  const step = count === 1 ? block.target.first - target.first : target.strides[0];
  const isNext =
    block.input === run.input &&
    block.depth === run.depth &&
    block.units === run.units &&
    block.source.strides.join() === source.strides.join() &&
    block.target.strides[1] === target.strides[1] &&
    block.source.first === source.first + count * source.strides[0] &&
    block.target.first === target.first + count * step;
  if (!isNext) return undefined;
  return { ...run, count: count + 1, target: { ...target, strides: [step, target.strides[1], 1] } };
}
