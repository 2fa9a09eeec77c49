// Conversion to and from floats of 16 bits: IEEE half precision (f16: 1 bit of sign, 5 of exponent, 10 of mantissa), which equals
// shaders/lib/half.wgsl bit for bit, and bfloat16 (bf16), the upper half of a float32.

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** bits / 2^count, rounded to nearest, ties to even. */
function roundOff(bits: number, count: number): number {
  const quotient = bits >>> count;
  const rest = bits - quotient * 2 ** count;
  const tie = 2 ** (count - 1);
  return quotient + (rest > tie || (rest === tie && quotient % 2 === 1) ? 1 : 0);
}

/**
 * The bits of the f16 nearest to `x` as a float32, ties to even. Finite numbers past 65504, the largest f16, become 65504;
 * infinities and NaN are preserved.
 */
export function halfBits(x: number): number {
  float[0] = x;
  const sign = (word[0] >>> 16) & 0x8000;
  const magnitude = word[0] & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  // Numbers from 65520 on would round to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7bff;
  const exponent = magnitude >>> 23;
  if (exponent >= 113) return sign | roundOff(magnitude - (112 << 23), 13);
  // Below 2^-14 f16 numbers are multiples of 2^-24 (subnormal). Below 2^-25 the nearest one is 0.
  if (exponent < 102) return sign;
  return sign | roundOff((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

/** The number that the bits of an f16 represent. */
export function halfToNumber(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** The bits of the bf16 nearest to `x` as a float32, ties to even, as torch rounds. NaN is preserved. */
export function bfloat16Bits(x: number): number {
  float[0] = x;
  const isNaN = (word[0] & 0x7fffffff) > 0x7f800000;
  return isNaN ? 0x7fc0 : roundOff(word[0], 16);
}

/** The number that the bits of a bf16 represent. */
export function bfloat16ToNumber(bits: number): number {
  word[0] = bits << 16;
  return float[0];
}
