// Lays a matrix of weights out for the kernels: packed[q, u] holds weight[4q .. 4q+3, u], as a vec4f or in fewer words. For
// the recurrent kernels so that neighbouring invocations, which own neighbouring units u, read neighbouring quads. Rows past
// the end are 0.

// @include lib/linear_id.wgsl
// @include lib/half.wgsl
// @include lib/int8.wgsl

struct Params {
  first: u32,         // element of the source at which the first matrix begins
  start: u32,         // quad of the result at which it begins
  blocks: u32,        // matrices that follow each other
  depth: u32,         // rows of each: what the product sums over
  units: u32,         // columns of each
  unit: u32,          // of all the columns that `largest` knows the number of the first
  strides: vec3u,     // of (part, row, column) in the source, in elements
  packed: vec3u,      // of (part, quad of rows, column) in the result, in quads
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<vec4f>;
// The result as it is in other precisions.
@group(0) @binding(3) var<storage, read_write> halves: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> bytes: array<u32>;
@group(0) @binding(5) var<storage, read> largest: array<f32>;     // magnitude of each column

// @splice store
fn store(quad: u32, four: vec4f, unit: u32) {
  packed[quad] = four;
}
// @end

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
  let at = params.start + part * params.packed.x + quad * params.packed.y + unit * params.packed.z;
  store(at, four, params.unit + part * params.units + unit);
}
