// Reduces an expression over strided inputs along some axes, by sum or maximum.
// One invocation reduces every splits-th element of one result; with more than one split, a second launch reduces the partial
// results. The order is fixed, so the same inputs give the same bits.

// @include lib/nonlinear.wgsl
// @include lib/operand.wgsl
// @include lib/linear_id.wgsl

struct Params {
  kept: vec2u,                    // sizes of the axes of the result
  reduced: vec2u,                 // sizes of the reduced axes
  splits: u32,                    // partial results of each result
  split_stride: u32,              // between the partial results of one result, in elements
  operands: array<Operand, 8>,    // out, then the inputs; axes: kept.x, kept.y, reduced.x, reduced.y
}

override WORKGROUP: u32 = 64;
override MAXIMUM: bool = false;   // the maximum instead of the sum

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read> in1: array<f32>;
@group(0) @binding(3) var<storage, read> in2: array<f32>;
@group(0) @binding(4) var<storage, read> in3: array<f32>;
@group(0) @binding(5) var<storage, read> in4: array<f32>;
@group(0) @binding(6) var<storage, read> in5: array<f32>;
@group(0) @binding(7) var<storage, read> in6: array<f32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;

// @splice element
fn element(at: vec4u) -> f32 {
  return in0[element_index(params.operands[1], at)];
}
// @end

@compute @workgroup_size(WORKGROUP)
fn reduce(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let result = linear_id(id, groups, WORKGROUP);
  if (result >= params.kept.x * params.kept.y) {
    return;
  }
  let split = id.z;
  var at = vec4u(result / params.kept.y, result % params.kept.y, 0u, 0u);
  let target_index = element_index(params.operands[0], at) + split * params.split_stride;
  let count = params.reduced.x * params.reduced.y;
  // Every split has at least one element, from which the maximum starts.
  at.z = split / params.reduced.y;
  at.w = split % params.reduced.y;
  var total = element(at);
  for (var i = split + params.splits; i < count; i += params.splits) {
    at.z = i / params.reduced.y;
    at.w = i % params.reduced.y;
    let value = element(at);
    total = select(total + value, nan_max(total, value), MAXIMUM);
  }
  out[target_index] = total;
}
