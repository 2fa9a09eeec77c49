// Numbers as whole ones from -127 to 127, of which 127 stands for the largest of a row; src/ops/weight_precision.ts, bit by bit.

/// Two products are compared, as products are rounded alike everywhere and quotients are not.
fn int8_of(x: f32, largest: f32) -> i32 {
  // A row of zeros; and what a device may flush to zero is none of its business.
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

fn bytes_of(four: vec4f, largest: f32) -> u32 {
  let q = vec4u(vec4i(
    int8_of(four.x, largest), int8_of(four.y, largest), int8_of(four.z, largest), int8_of(four.w, largest))) & vec4u(0xffu);
  return q.x | (q.y << 8u) | (q.z << 16u) | (q.w << 24u);
}
