// Gathers rows of a table: out[i, e] = table[index[i], e], as in the forward pass of an embedding. An index outside the table
// reads the nearest row. One invocation copies one element.

// @include lib/linear_id.wgsl

struct Params {
  rows: u32,      // of the table
  width: u32,     // of a row
  size: u32,      // number of indices * width
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>;        // (rows, width)
@group(0) @binding(2) var<storage, read> index: array<i32>;        // (size / width)
@group(0) @binding(3) var<storage, read_write> out: array<f32>;    // (size / width, width)

@compute @workgroup_size(WORKGROUP)
fn gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= params.size) {
    return;
  }
  let row = u32(clamp(index[i / params.width], 0, i32(params.rows) - 1));
  out[i] = table[row * params.width + i % params.width];
}
