// Packs weight matrices into quads: four neighbours along the axis that a product sums over, in any precision, in the order
// in which a kernel reads them. The planner inserts this op if the backend's kernel reads packed weights.
import { defineOp, type Op } from '../graph/value.ts';
import { packedDType, roundingFlop, type WeightPrecision } from './weight_precision.ts';

/** Equal blocks (depth, units) of one matrix, at a constant stride in the matrix and in the result. */
export interface PackBlocks {
  /** Index of the input that contains the matrix. */
  readonly input: number;
  readonly count: number;
  /** Rows of a block (the summed axis), and its columns. */
  readonly depth: number;
  readonly units: number;
  /** The first element of the first block in the matrix, and strides of (block, row, column), in elements. */
  readonly source: { readonly first: number; readonly strides: readonly [number, number, number] };
  /** The first quad of the first block in the result, and strides of (block, quad of rows, column), in quads. */
  readonly target: { readonly first: number; readonly strides: readonly [number, number, number] };
  /** With int8: the index of the largest magnitude of the first block's first column. */
  readonly scale: number;
}

export interface PackAttrs {
  readonly precision: WeightPrecision;
  /** Number of words of the result. */
  readonly size: number;
  readonly blocks: readonly PackBlocks[];
  /** Number of matrix inputs. With int8, one more input follows: the largest magnitudes of all rows. */
  readonly matrices: number;
}

export const packOp: Op<PackAttrs> = /* @__PURE__ */ defineOp({
  name: 'pack',
  summary: 'blocks of weight matrices as quads, in the order and the precision in which a kernel reads them',
  cost: ({ precision, blocks }) =>
    blocks.reduce(
      (flop, { count, depth, units }) => flop + roundingFlop(precision) * count * depth * units,
      0,
    ),
  infer: ({ precision, size }) => [{ shape: [size], dtype: packedDType(precision) }],
});
