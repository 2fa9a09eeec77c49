// Conversion to IEEE half precision (f16) without the WGSL extension f16. The rounding of pack2x16float is
// implementation-defined; this equals src/core/half.ts bit for bit.

/// bits / 2^count, rounded to nearest, ties to even.
fn round_off(bits: u32, count: u32) -> u32 {
  let quotient = bits >> count;
  let rest = bits & ((1u << count) - 1u);
  let tie = 1u << (count - 1u);
  return quotient + select(0u, 1u, rest > tie || (rest == tie && (quotient & 1u) == 1u));
}

/// The bits of the nearest f16. Finite numbers past 65504, the largest f16, become 65504.
fn half_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) {
    return sign | select(0x7c00u, 0x7e00u, magnitude > 0x7f800000u);
  }
  if (magnitude >= 0x477ff000u) {
    return sign | 0x7bffu;
  }
  let exponent = magnitude >> 23u;
  if (exponent >= 113u) {
    return sign | round_off(magnitude - (112u << 23u), 13u);
  }
  if (exponent < 102u) {
    return sign;
  }
  return sign | round_off((magnitude & 0x7fffffu) | 0x800000u, 126u - exponent);
}

/// Four numbers as a packed quad of f16.
fn halves_of(four: vec4f) -> vec2u {
  return vec2u(half_bits(four.x) | (half_bits(four.y) << 16u), half_bits(four.z) | (half_bits(four.w) << 16u));
}
