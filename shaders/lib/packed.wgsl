// Quads of weights that lie packed, as four numbers. int8 as 127ths: of what, is for the sum that they go into.

fn from_halves(quad: vec2u) -> vec4f {
  return vec4f(unpack2x16float(quad.x), unpack2x16float(quad.y));
}

fn from_bytes(quad: u32) -> vec4f {
  return unpack4x8snorm(quad);
}
