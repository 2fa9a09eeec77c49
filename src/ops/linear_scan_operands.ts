// The operands of a linear scan by name, and their views under the axes (step, row, unit) of its output.
import type { View } from '../core/view.ts';
import { derivative, Expr, inputName } from '../expr/expr.ts';
import { operandsOf, type OperandCounts } from '../graph/operands.ts';

export interface LinearScanAttrs {
  /** Scans from the last step to the first. */
  readonly reverse: boolean;
  /** a and b of h_t = a_t · h_{t-1} + b_t, as expressions over `in0`…, which number the slots of all sources in order. */
  readonly step: readonly [a: Expr, b: Expr];
  /**
   * `sources` (T, B, slots, H) each; `mask` (T, B): where it is 0, a = 1 and b = 0; `initial` (B, H): h_0, else zeros.
   * Backward: `h` and `dH`, the gradient of h, (T, B, H).
   */
  readonly operands: OperandCounts<'sources' | 'mask' | 'h' | 'dH' | 'initial'>;
}

/** The most slots that a scan reads: the kernels reserve one uniform row for each slot and one for its gradient. */
export const MAX_SLOTS = 5;

/** The inputs of a scan by name; absent ones are undefined. */
export function scanOperands<T>(
  { operands }: LinearScanAttrs,
  inputs: readonly T[],
): { readonly sources: readonly T[] } & {
  readonly [Name in 'mask' | 'h' | 'dH' | 'initial']: T | undefined;
} {
  const {
    sources,
    mask: [mask],
    h: [h],
    dH: [dH],
    initial: [initial],
  } = operandsOf(operands, inputs);
  return { sources, mask, h, dH, initial };
}

/** Views of a tensor (T, B, slots, H), one per slot, each (T, B, H). */
export function slotViews({ shape: [steps, batch, slots, hidden], strides, offset }: View): View[] {
  return Array.from({ length: slots }, (_, slot) => ({
    shape: [steps, batch, hidden],
    strides: [strides[0], strides[1], strides[3]],
    offset: offset + slot * strides[2],
  }));
}

/** A mask (T, B), broadcast over units to (T, B, H). */
export function maskView({ shape: [steps, batch], strides, offset }: View, hidden: number): View {
  return { shape: [steps, batch, hidden], strides: [strides[0], strides[1], 0], offset };
}

/** A state (B, H), broadcast over steps to (T, B, H). */
export function stateView({ shape: [batch, hidden], strides, offset }: View, steps: number): View {
  return { shape: [steps, batch, hidden], strides: [0, strides[0], strides[1]], offset };
}

/** Names of the cotangents of a and b in the expressions of `slotGradients`. */
export const D_A = 'da';
export const D_B = 'db';

/** The cotangent of each slot, as an expression over the slots and the cotangents of a and b. */
export function slotGradients(step: LinearScanAttrs['step'], slots: number): Expr[] {
  const names = Array.from({ length: slots }, (_, slot) => inputName(slot));
  return derivative(step, [Expr.input(D_A), Expr.input(D_B)], names);
}
