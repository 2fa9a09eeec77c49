// What a linear scan reads, told apart, each under the axes (step, row, unit) of its output.
import type { View } from '../core/view.ts';
import { derivative, Expr } from '../expr/expr.ts';
import { inputName } from '../expr/operands.ts';

export interface LinearScanAttrs {
  /** From the last step to the first. */
  readonly reverse: boolean;
  /** a and b of h_t = a_t · h_{t-1} + b_t, over the slots of all sources, one behind the other: `in0`…. */
  readonly step: readonly [a: Expr, b: Expr];
  /** How many of the inputs, the first, are sources (T, B, slots, H). */
  readonly sources: number;
  /** Whether a mask (T, B) follows: where it is 0, a = 1 and b = 0. */
  readonly masked: boolean;
}

/** Slots that a scan reads: its uniforms have rows for so many, and for those of their gradients. */
export const MAX_SLOTS = 5;

/** The inputs of linear_scan, or, with h and d h after the mask, those of its backward op. */
export function scanOperands<T>(
  { sources, masked }: LinearScanAttrs,
  inputs: readonly T[],
  backward: boolean,
): { readonly sources: readonly T[] } & {
  readonly [Name in 'mask' | 'h' | 'dh' | 'initial']: T | undefined;
} {
  const rest = inputs.slice(sources);
  const next = (there: boolean): T | undefined => (there ? rest.shift() : undefined);
  return {
    sources: inputs.slice(0, sources),
    mask: next(masked),
    h: next(backward),
    dh: next(backward),
    initial: next(true),
  };
}

/** Each slot of a tensor (T, B, slots, H), as (T, B, H). */
export function slotViews({ shape: [steps, batch, slots, hidden], strides, offset }: View): View[] {
  return Array.from({ length: slots }, (_, slot) => ({
    shape: [steps, batch, hidden],
    strides: [strides[0], strides[1], strides[3]],
    offset: offset + slot * strides[2],
  }));
}

/** A mask (T, B) for all units, as (T, B, H). */
export function maskView({ shape: [steps, batch], strides, offset }: View, hidden: number): View {
  return { shape: [steps, batch, hidden], strides: [strides[0], strides[1], 0], offset };
}

/** A state (B, H) at every step, as (T, B, H). */
export function stateView({ shape: [batch, hidden], strides, offset }: View, steps: number): View {
  return { shape: [steps, batch, hidden], strides: [0, strides[0], strides[1]], offset };
}

/** The cotangents of a and b in the expressions of `slotGradients`. */
export const D_A = 'da';
export const D_B = 'db';

/** The cotangent of each slot, over the slots and those of a and b. */
export function slotGradients(step: LinearScanAttrs['step'], slots: number): Expr[] {
  const names = Array.from({ length: slots }, (_, slot) => inputName(slot));
  return derivative(step, [Expr.input(D_A), Expr.input(D_B)], names);
}
