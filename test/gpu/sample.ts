// What a sample of an op is: a small graph and what it is made of.
import type { Shape } from '../../src/core/shape.ts';
import { less } from '../../src/expr/arith.ts';
import type { Value } from '../../src/graph/value.ts';
import { runInputs, type RunSize } from '../recurrent_run.ts';

export type InputSpec =
  | { readonly dtype: 'f32'; readonly shape: Shape; readonly low: number; readonly high: number }
  | { readonly dtype: 'i32'; readonly shape: Shape; readonly limit: number };

/** Numbers drawn evenly from low to high. */
export const f32 = (shape: Shape, low = -1, high = 1): InputSpec => ({ dtype: 'f32', shape, low, high });
/** Indices from 0 to limit - 1. */
export const i32 = (shape: Shape, limit: number): InputSpec => ({ dtype: 'i32', shape, limit });

export interface Sample {
  readonly name: string;
  readonly inputs: readonly InputSpec[];
  readonly build: (...values: Value[]) => Value | readonly Value[];
  /** It has steps, over which finite differences fall. */
  readonly rounds?: boolean;
}

export const sample = (name: string, inputs: readonly InputSpec[], build: Sample['build']): Sample => ({
  name,
  inputs,
  build,
});

export const sizeName = ({
  cell,
  steps,
  batch,
  hidden,
  bias,
  pseudoLayers,
  wavefront,
  masked,
}: RunSize): string =>
  `${cell.name}, T ${steps}, B ${batch}, H ${hidden}, D ${pseudoLayers}${wavefront === true ? ' layers' : ''}${bias ? ', bias' : ''}${masked ? ', masked' : ''}`;

/** Numbers of the size that each has in a net. */
export function recurrentInputs(size: RunSize): InputSpec[] {
  const bound = 1 / Math.sqrt(size.hidden);
  return runInputs(size).map(({ name, shape }) => {
    if (name.startsWith('products')) return f32(shape, -2, 2);
    if (name.startsWith('weight')) return f32(shape, -bound, bound);
    // sLSTM's normaliser divides.
    if (name === 'initial n') return f32(shape, 0.5, 1.5);
    return f32(shape, -1, 1);
  });
}

/** The last input, a mask, as 1 or 0. */
export const withMask = ({ masked }: RunSize, values: readonly Value[]): Value[] =>
  values.map((value, i) => (masked && i === values.length - 1 ? less(value, 0.3) : value));
