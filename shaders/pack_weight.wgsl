// Packs blocks of a weight matrix for other kernels: packed[q, u] holds weight[4q .. 4q+3, u], as a vec4f, two words of f16 or
// one word of int8. Rows past the end are 0. One invocation packs one quad.

// @include lib/linear_id.wgsl
// @include lib/half.wgsl
// @include lib/int8.wgsl

struct Params {
  source_offset: u32,     // the first element of the first block
  target_offset: u32,     // the first quad of the first block
  scale_offset: u32,      // the index in `largest` of the first column of the first block
  blocks: u32,
  depth: u32,             // rows of a block, which the product sums over
  units: u32,             // columns of a block
  source_strides: vec3u,  // of (block, row, column), in elements
  target_strides: vec3u,  // of (block, quad of rows, column), in quads
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<vec4f>;
// The result in the other precisions.
@group(0) @binding(3) var<storage, read_write> halves: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> bytes: array<u32>;
@group(0) @binding(5) var<storage, read> largest: array<f32>;     // the largest magnitude of each column, for int8

// @splice store
fn store(quad: u32, four: vec4f, column: u32) {
  packed[quad] = four;
}
// @end

@compute @workgroup_size(WORKGROUP)
fn pack_weight(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  let quads = (params.depth + 3u) / 4u;
  if (i >= params.blocks * quads * params.units) {
    return;
  }
  let unit = i % params.units;
  let quad = (i / params.units) % quads;
  let index = (i / params.units) / quads;
  let base = params.source_offset + index * params.source_strides.x + unit * params.source_strides.z;
  var four = vec4f();
  for (var n = 0u; n < 4u; n++) {
    let row = quad * 4u + n;
    if (row < params.depth) {
      four[n] = weight[base + row * params.source_strides.y];
    }
  }
  let at = params.target_offset + index * params.target_strides.x + quad * params.target_strides.y
    + unit * params.target_strides.z;
  store(at, four, params.scale_offset + index * params.units + unit);
}
