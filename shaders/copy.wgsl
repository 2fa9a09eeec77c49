// Copies integers between strided views. As floats, small integers would be subnormal numbers, which a device may flush to 0.
// One invocation copies one element.

// @include lib/operand.wgsl
// @include lib/linear_id.wgsl

struct Params {
  dims: vec4u,                    // the shape, padded with leading 1s
  size: u32,                      // dims.x * dims.y * dims.z * dims.w
  source: Operand,
  out: Operand,
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

@compute @workgroup_size(WORKGROUP)
fn copy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= params.size) {
    return;
  }
  let plane = i / params.dims.w;
  let cube = plane / params.dims.z;
  let at = vec4u(cube / params.dims.y, cube % params.dims.y, plane % params.dims.z, i % params.dims.w);
  out[element_index(params.out, at)] = source[element_index(params.source, at)];
}
