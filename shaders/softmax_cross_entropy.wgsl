// Cross-entropy of a softmax for each row of logits: loss = log(sum of exp) - logits[label]; log_sum, the logarithm, for the
// backward pass; and counts, 0 for a row whose label is ignore_index, else 1. The loss of an ignored row is 0. With label
// smoothing s, the target is 1 - s at the label plus s / classes at every class. The largest logit is subtracted first, so that
// no exp overflows. One invocation computes one row.

// @include lib/linear_id.wgsl

struct Params {
  rows: u32,
  classes: u32,
  ignore_index: i32,
  smoothing: f32,
}

override WORKGROUP: u32 = 16;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;               // (rows, classes)
@group(0) @binding(2) var<storage, read> label: array<i32>;                // (rows)
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;           // (rows)
@group(0) @binding(4) var<storage, read_write> log_sum: array<f32>;        // (rows)
@group(0) @binding(5) var<storage, read_write> counts: array<f32>;         // (rows), 1 or 0

@compute @workgroup_size(WORKGROUP)
fn softmax_cross_entropy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = linear_id(id, groups, WORKGROUP);
  if (row >= params.rows) {
    return;
  }
  if (label[row] == params.ignore_index) {
    loss[row] = 0.0;
    log_sum[row] = 0.0;
    counts[row] = 0.0;
    return;
  }
  let base = row * params.classes;
  var largest = logits[base];
  for (var c = 1u; c < params.classes; c++) {
    largest = max(largest, logits[base + c]);
  }
  var total = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    total += exp(logits[base + c] - largest);
  }
  let chosen = u32(clamp(label[row], 0, i32(params.classes) - 1));
  // The largest logit minus the mean logit under the target.
  var below = largest - logits[base + chosen];
  // A condition and not a product with 0: a logit may be -infinity.
  if (params.smoothing > 0.0) {
    var mean = 0.0;
    for (var c = 0u; c < params.classes; c++) {
      mean += (largest - logits[base + c]) / f32(params.classes);
    }
    below += params.smoothing * (mean - below);
  }
  log_sum[row] = largest + log(total);
  loss[row] = below + log(total);
  counts[row] = 1.0;
}
