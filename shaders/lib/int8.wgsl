// Conversion to int8 by a scale for each row of weights. It equals src/ops/weight_precision.ts bit for bit.

/// The integer q from -127 to 127 nearest to x * 127 / largest. WGSL's division is not correctly rounded, so the quotient is
/// corrected by comparisons of products, which are.
fn int8_of(x: f32, largest: f32) -> i32 {
  // A row of zeros, or of numbers that a device may flush to zero.
  if (!(largest >= 1e-30)) {
    return 0;
  }
  let scaled = abs(x) * 127.0;
  var q = clamp(floor(scaled / largest + 0.5), 0.0, 127.0);
  if (q < 127.0 && (q + 0.5) * largest <= scaled) {
    q += 1.0;
  } else if (q > 0.0 && (q - 0.5) * largest > scaled) {
    q -= 1.0;
  }
  return i32(select(q, -q, x < 0.0));
}

/// Four numbers as a packed quad of int8. @param largest The largest magnitude of their row.
fn bytes_of(four: vec4f, largest: f32) -> u32 {
  let q = vec4u(vec4i(
    int8_of(four.x, largest), int8_of(four.y, largest), int8_of(four.z, largest), int8_of(four.w, largest))) & vec4u(0xffu);
  return q.x | (q.y << 8u) | (q.z << 16u) | (q.w << 24u);
}
