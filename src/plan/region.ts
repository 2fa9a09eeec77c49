// Tensors of a plan: which buffer they are in, and how they lie there.
import type { DType } from '../core/shape.ts';
import { denseView, sliceView, type View } from '../core/view.ts';
import type { Op } from '../graph/value.ts';

/** A tensor in a buffer of the plan. */
export interface Region {
  readonly buffer: number;
  readonly view: View;
  readonly dtype: DType;
}

/** One application of an op, with its operands in buffers. */
export interface Placed<Attrs = unknown> {
  readonly op: Op<Attrs>;
  readonly attrs: Attrs;
  readonly inputs: readonly Region[];
  readonly outputs: readonly Region[];
  readonly scratch: readonly Region[];
}

export function sliceRegion(region: Region, start: readonly number[], shape: readonly number[]): Region {
  return { ...region, view: sliceView(region.view, start, shape) };
}

export function denseRegion(buffer: number, shape: readonly number[], dtype: DType = 'f32'): Region {
  return { buffer, view: denseView(shape), dtype };
}
