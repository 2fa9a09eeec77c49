// Gradient of the cross-entropy: d logits[r, c] = (softmax(logits[r])[c] - target[c]) * d loss[r]. The target is one-hot at the
// label, smoothed; the gradient of rows whose label is ignore_index is 0. One invocation computes one element.

// @include lib/linear_id.wgsl

struct Params {
  classes: u32,
  size: u32,      // rows * classes
  ignore_index: i32,
  smoothing: f32,
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;               // (rows, classes)
@group(0) @binding(2) var<storage, read> label: array<i32>;                // (rows)
@group(0) @binding(3) var<storage, read> log_sum: array<f32>;              // (rows)
@group(0) @binding(4) var<storage, read> d_loss: array<f32>;               // (rows)
@group(0) @binding(5) var<storage, read_write> d_logits: array<f32>;       // (rows, classes)

@compute @workgroup_size(WORKGROUP)
fn softmax_cross_entropy_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= params.size) {
    return;
  }
  let row = i / params.classes;
  if (label[row] == params.ignore_index) {
    d_logits[i] = 0.0;
    return;
  }
  let hit = select(0.0, 1.0, i32(i % params.classes) == label[row]);
  let target_share = hit + params.smoothing * (1.0 / f32(params.classes) - hit);
  d_logits[i] = (exp(logits[i] - log_sum[row]) - target_share) * d_loss[row];
}
