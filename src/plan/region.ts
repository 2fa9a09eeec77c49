// Tensors of a plan: their buffers and their layouts.
import type { DType } from '../core/shape.ts';
import type { View } from '../core/view.ts';
import type { Op } from '../graph/value.ts';

/** A tensor in a buffer of the plan. */
export interface Region {
  readonly buffer: number;
  readonly view: View;
  readonly dtype: DType;
}

/** One application of an op to operands in buffers. */
export interface Placed<Attrs = unknown> {
  readonly op: Op<Attrs>;
  readonly attrs: Attrs;
  readonly inputs: readonly Region[];
  readonly outputs: readonly Region[];
  readonly scratch: readonly Region[];
}
