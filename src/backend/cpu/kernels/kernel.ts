// The declaration of a CPU kernel: the traits that the planner reads, and a function over typed arrays.
import type { NumberArray } from '../../../core/shape.ts';
import type { View } from '../../../core/view.ts';
import type { Op } from '../../../graph/value.ts';
import type { ExpressionLimits, KernelTraits } from '../../../plan/target.ts';

/** A tensor in a typed array. */
export interface Operand {
  readonly data: NumberArray;
  readonly view: View;
}

/** The part of a dense tensor's array that starts at its first element; it may be longer than the tensor. */
export const elementsOf = ({ data, view }: Operand): NumberArray => data.subarray(view.offset);

export interface CPUKernel<Attrs = unknown> extends KernelTraits<Attrs> {
  readonly op: Op<Attrs>;
  /** The reference implementation: plain loops with float64 accumulation. */
  readonly run: (attrs: Attrs, inputs: readonly Operand[], outputs: readonly Operand[]) => void;
}

/** The kernel of an op. Erases the type of its attributes, so that kernels of all ops fit in one list. */
export function defineKernel<Attrs>(op: Op<Attrs>, kernel: Omit<CPUKernel<Attrs>, 'op'>): CPUKernel {
  return { op, ...kernel } as unknown as CPUKernel;
}

/**
 * The fusion limits of kernels that interpret expressions: any expression over strided tensors. To fuse one more input takes a pass over
 * all others, so that their number has a limit; a plan of a long loop by hand would otherwise take time by the square of its length.
 */
export const ANY_EXPRESSION: ExpressionLimits = {
  inputs: 64,
  outputs: Infinity,
  buffers: Infinity,
  canAddress: () => true,
};
