// Weight matrices laid out in the order in which a kernel reads them: quads of four neighbours along the axis that a product
// sums over, in any precision. The planner puts it in where the kernel of a backend reads packed weights.
import { defineOp, type Op } from '../graph/value.ts';
import { packedDType, type WeightPrecision } from './weight_precision.ts';

/** Equal blocks (depth, units) of one matrix that lie at equal distances in the matrix and in the result. */
export interface PackBlocks {
  /** Which input they are cut from. */
  readonly input: number;
  readonly count: number;
  /** Rows of a block, which a product sums over, and its columns. */
  readonly depth: number;
  readonly units: number;
  /** The first element of the first block in the matrix, and strides of (block, row, column), in elements. */
  readonly source: { readonly first: number; readonly strides: readonly [number, number, number] };
  /** The first quad of the first block in the result, and strides of (block, quad of rows, column), in quads. */
  readonly target: { readonly first: number; readonly strides: readonly [number, number, number] };
  /** With int8: where the largest magnitude of the first block's first column stands. */
  readonly scale: number;
}

export interface PackAttrs {
  readonly precision: WeightPrecision;
  /** Words of the result. */
  readonly size: number;
  readonly blocks: readonly PackBlocks[];
  /** How many inputs are matrices; with int8 the largest magnitudes of their rows follow as one more input. */
  readonly matrices: number;
}

export const packOp: Op<PackAttrs> = /* @__PURE__ */ defineOp({
  name: 'pack',
  summary: 'blocks of weight matrices as quads, in the order and the precision in which a kernel reads them',
  infer: ({ precision, size }) => [{ shape: [size], dtype: packedDType(precision) }],
  tolerance: { absolute: 0, relative: 0 },
});
