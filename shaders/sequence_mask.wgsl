// A mask from sequence lengths: out[t, b] = 1 if t < lengths[b], else 0. One invocation writes one element.

// @include lib/linear_id.wgsl

struct Params {
  batch: u32,
  size: u32,      // steps * batch
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lengths: array<i32>;      // (batch)
@group(0) @binding(2) var<storage, read_write> out: array<f32>;    // (steps, batch)

@compute @workgroup_size(WORKGROUP)
fn sequence_mask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= params.size) {
    return;
  }
  out[i] = select(0.0, 1.0, i32(i / params.batch) < lengths[i % params.batch]);
}
