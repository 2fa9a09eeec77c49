// Half precision (f16) without the feature of that name. pack2x16float may round either way; this is src/core/half.ts, bit by bit.

/// Bits above `count`, rounded to the nearest, ties to even.
fn round_off(bits: u32, count: u32) -> u32 {
  let kept = bits >> count;
  let rest = bits & ((1u << count) - 1u);
  let tie = 1u << (count - 1u);
  return kept + select(0u, 1u, rest > tie || (rest == tie && (kept & 1u) == 1u));
}

/// The bits of the nearest f16. What is finite stays finite: past 65504, the largest, it is that.
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

fn halves_of(four: vec4f) -> vec2u {
  return vec2u(half_bits(four.x) | (half_bits(four.y) << 16u), half_bits(four.z) | (half_bits(four.w) << 16u));
}
