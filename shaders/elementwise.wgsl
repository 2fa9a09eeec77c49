// Evaluates up to four scalar expressions at each element of strided inputs; an optimizer's update is such a launch, in place.
// One invocation computes one element of each output.

// @include lib/nonlinear.wgsl
// @include lib/operand.wgsl
// @include lib/linear_id.wgsl

struct Params {
  dims: vec4u,                    // the shape, padded with leading 1s
  size: u32,                      // dims.x * dims.y * dims.z * dims.w
  operands: array<Operand, 12>,   // the outputs, then the inputs
}

override WORKGROUP: u32 = 64;
override RANK: u32 = 4;           // the number of trailing dims in use

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read> in1: array<f32>;
@group(0) @binding(3) var<storage, read> in2: array<f32>;
@group(0) @binding(4) var<storage, read> in3: array<f32>;
@group(0) @binding(5) var<storage, read> in4: array<f32>;
@group(0) @binding(6) var<storage, read> in5: array<f32>;
@group(0) @binding(7) var<storage, read> in6: array<f32>;
@group(0) @binding(8) var<storage, read> in7: array<f32>;
@group(0) @binding(9) var<storage, read_write> out0: array<f32>;
@group(0) @binding(10) var<storage, read_write> out1: array<f32>;
@group(0) @binding(11) var<storage, read_write> out2: array<f32>;
@group(0) @binding(12) var<storage, read_write> out3: array<f32>;

// @splice element
fn element(at: vec4u) {
  out0[element_index(params.operands[0], at)] = in0[element_index(params.operands[1], at)];
}
// @end

@compute @workgroup_size(WORKGROUP)
fn elementwise(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= params.size) {
    return;
  }
  var at = vec4u(0u, 0u, 0u, i);
  if (RANK > 1u) {
    at.z = i / params.dims.w;
    at.w = i - at.z * params.dims.w;
  }
  if (RANK > 2u) {
    let y = at.z / params.dims.z;
    at.z = at.z - y * params.dims.z;
    at.x = y / params.dims.y;
    at.y = y - at.x * params.dims.y;
  }
  element(at);
}
