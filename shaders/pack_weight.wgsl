// Lays a matrix of weights out for the recurrent kernels: packed[q, u] holds weight[4q .. 4q+3, u], so that
// neighbouring invocations, which own neighbouring units u, read neighbouring vec4s. Rows past the end are 0.

// @include lib/linear_id.wgsl

struct Params {
  first: u32,         // element of the source at which the first matrix begins
  start: u32,         // vec4 of the result at which it begins
  blocks: u32,        // matrices that follow each other
  depth: u32,         // rows of each: what the product sums over
  units: u32,         // columns of each
  strides: vec3u,     // of (part, row, column) in the source, in elements
  packed: vec3u,      // of (part, quad of rows, column) in the result, in vec4s
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn pack_weight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_id(group, groups, local, WORKGROUP);
  let quads = (params.depth + 3u) / 4u;
  if (i >= params.blocks * quads * params.units) {
    return;
  }
  let unit = i % params.units;
  let quad = (i / params.units) % quads;
  let part = (i / params.units) / quads;
  let base = params.first + part * params.strides.x + unit * params.strides.z;
  var four = vec4f();
  for (var n = 0u; n < 4u; n++) {
    let row = quad * 4u + n;
    if (row < params.depth) {
      four[n] = weight[base + row * params.strides.y];
    }
  }
  packed[params.start + part * params.packed.x + quad * params.packed.y + unit * params.packed.z] = four;
}
