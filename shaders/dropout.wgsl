// Dropout: out[i] = x[i] * scale if the random number of element i is at least p, else 0. Its random number is word i % 4 of
// philox(counter (i / 4, stream, 0, 0), key seed), so the backward pass draws the same mask and nothing is stored for it.
// One invocation computes four elements.

// @include lib/philox.wgsl
// @include lib/linear_id.wgsl

struct Params {
  size: u32,
  stream: u32,
  p: f32,
  scale: f32,    // 1 / (1 - p)
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;            // (size)
@group(0) @binding(2) var<storage, read> seed: array<i32>;         // (2)
@group(0) @binding(3) var<storage, read_write> out: array<f32>;    // (size)

@compute @workgroup_size(WORKGROUP)
fn dropout(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let four = linear_id(id, groups, WORKGROUP);
  let start = 4u * four;
  let key = vec2u(bitcast<u32>(seed[0]), bitcast<u32>(seed[1]));
  let words = philox(vec4u(four, params.stream, 0u, 0u), key);
  // @unroll I 4
  if (start + I < params.size) {
    // A product and not a select of x, so that NaN stays NaN.
    out[start + I] = x[start + I] * select(0.0, params.scale, unit_uniform(words[I]) >= params.p);
  }
  // @end
}
