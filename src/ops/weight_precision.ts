// Storage precision of weight matrices: float32, half precision, or 8-bit integers with one scale per row.
// Sums accumulate in float32 in every precision.
import { halfBits, halfToNumber } from '../core/half.ts';
import { GatewiseError, show } from '../core/errors.ts';
import type { DType } from '../core/shape.ts';

/**
 * `float32`: unchanged. `f16`: each element rounded to half precision. `int8`: each element is q · m / 127 with an integer
 * q from -127 to 127, where m is the largest magnitude in its row.
 */
export type WeightPrecision = 'float32' | 'f16' | 'int8';
/** Precisions narrower than float32. */
export type PackedPrecision = Exclude<WeightPrecision, 'float32'>;

/** 32-bit words per quad of packed elements. */
export const QUAD_WORDS: Readonly<Record<WeightPrecision, number>> = { float32: 4, f16: 2, int8: 1 };

/** Quads per packed row of a given number of elements; the last is zero-padded. */
export const quadsOf = (depth: number): number => Math.ceil(depth / 4);

/** Packed words have an integer type: a device may flush subnormal floats to zero. */
export const packedDType = (precision: WeightPrecision): DType => (precision === 'float32' ? 'f32' : 'i32');

/** @throws GatewiseError `argument` for an unknown precision. */
export function checkWeightPrecision(what: string, precision: unknown): asserts precision is WeightPrecision {
  if (typeof precision === 'string' && Object.hasOwn(QUAD_WORDS, precision)) return;
  throw new GatewiseError(
    'argument',
    `${what}: precision must be "float32", "f16" or "int8", got ${show(precision)}`,
  );
}

/**
 * x · 127 / largest as an integer from -127 to 127: rounded to nearest, ties away from zero, in float32 arithmetic that equals
 * shaders/lib/int8.wgsl bit for bit. 0 if `largest` is below 1e-30.
 */
export function int8Of(x: number, largest: number): number {
  const most = Math.fround(largest);
  if (!(most >= 1e-30)) return 0;
  const scaled = Math.fround(Math.abs(Math.fround(x)) * 127);
  const near = Math.min(127, Math.max(0, Math.floor(scaled / most + 0.5)));
  const up = near < 127 && Math.fround((near + 0.5) * most) <= scaled;
  const down = near > 0 && Math.fround((near - 0.5) * most) > scaled;
  const q = near + (up ? 1 : down ? -1 : 0);
  return x < 0 ? -q : q;
}

/** FLOP of rounding one weight: of `int8Of`, the operations of a quotient, of its rounding and of the check; f16 takes integers. */
export const roundingFlop = (precision: WeightPrecision): number => (precision === 'int8' ? 10 : 0);

/** The value that the given precision stores for `x`. @param largest The largest magnitude of its row, for int8. */
export function roundedWeight(precision: PackedPrecision, x: number, largest: number): number {
  return precision === 'f16' ? halfToNumber(halfBits(x)) : (int8Of(x, largest) / 127) * largest;
}
