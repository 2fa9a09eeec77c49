// The counter-based random number generator Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011). src/core/random.ts gives the same words for the same counter and key.

/// The high 32 bits of a 64-bit product, for which WGSL has no operation.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a_high = a >> 16u;
  let a_low = a & 0xffffu;
  let b_high = b >> 16u;
  let b_low = b & 0xffffu;
  let middle = a_high * b_low + ((a_low * b_low) >> 16u);
  let cross = a_low * b_high + (middle & 0xffffu);
  return a_high * b_high + (middle >> 16u) + (cross >> 16u);
}

/// Four 32-bit words for one counter under one key.
fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var turn = 0u; turn < 10u; turn++) {
    c = vec4u(
      multiply_high(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
      0xcd9e8d57u * c.z,
      multiply_high(0xd2511f53u, c.x) ^ c.w ^ k.y,
      0xd2511f53u * c.x,
    );
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

/// A uniform number in [0, 1) from the upper 24 bits of a word, which an f32 represents exactly.
fn unit_uniform(word: u32) -> f32 {
  return f32(word >> 8u) * 5.9604644775390625e-8;
}
