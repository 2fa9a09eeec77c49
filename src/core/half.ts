// IEEE half precision (f16): 1 bit of sign, 5 of exponent, 10 of mantissa. Bit by bit as shaders/lib/half.wgsl has it.

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** Bits above `count`, rounded to the nearest, ties to even. */
function roundOff(bits: number, count: number): number {
  const kept = bits >>> count;
  const rest = bits - kept * 2 ** count;
  const tie = 2 ** (count - 1);
  return kept + (rest > tie || (rest === tie && kept % 2 === 1) ? 1 : 0);
}

/**
 * The bits of the f16 nearest to `x`, taken as a float32; ties go to even. What is finite stays finite: past 65504, the
 * largest f16, it is that. Infinities and NaN stay what they are.
 */
export function halfBits(x: number): number {
  float[0] = x;
  const sign = (word[0] >>> 16) & 0x8000;
  const magnitude = word[0] & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  // From 65520 on it would round to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7bff;
  const exponent = magnitude >>> 23;
  if (exponent >= 113) return sign | roundOff(magnitude - (112 << 23), 13);
  // Below 2^-14 an f16 is a multiple of 2^-24, and below 2^-25 none is near.
  if (exponent < 102) return sign;
  return sign | roundOff((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

/** The number that an f16 is. */
export function halfToNumber(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1024 + mantissa) * 2 ** (exponent - 25);
}
