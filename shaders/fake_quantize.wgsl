// Fake quantization: rounds weights (N, K) to f16, or to int8 with a scale for each row, its largest magnitude / 127.
// One invocation rounds one element.

// @include lib/linear_id.wgsl
// @include lib/half.wgsl
// @include lib/int8.wgsl

struct Params {
  columns: u32,       // K
  size: u32,          // N * K
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read> largest: array<f32>;     // (N)

// @splice rounded
fn rounded(x: f32, row: u32) -> f32 {
  return unpack2x16float(half_bits(x)).x;
}
// @end

@compute @workgroup_size(WORKGROUP)
fn fake_quantize(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i < params.size) {
    out[i] = rounded(weight[i], i / params.columns);
  }
}
