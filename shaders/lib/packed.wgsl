// Unpacks quads of weights to four numbers. int8 becomes q / 127; the kernel multiplies the finished sum by the scale of the row.

fn from_halves(quad: vec2u) -> vec4f {
  return vec4f(unpack2x16float(quad.x), unpack2x16float(quad.y));
}

fn from_bytes(quad: u32) -> vec4f {
  return unpack4x8snorm(quad);
}
