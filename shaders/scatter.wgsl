// The transpose of gather: out[v, e] = sum of source[i, e] over all i with index[i] = v, in the order of i.
// One invocation owns four columns of a row of the result and scans all indices: without atomics, the same inputs give the same
// bits. A source row with an index outside the table is dropped.

// @include lib/linear_id.wgsl

struct Params {
  width: u32,     // of a row
  count: u32,     // number of indices
  rows: u32,      // of the table
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;       // (count, width)
@group(0) @binding(2) var<storage, read> index: array<i32>;        // (count)
@group(0) @binding(3) var<storage, read_write> out: array<f32>;    // (rows, width)

@compute @workgroup_size(WORKGROUP)
fn scatter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quads = (params.width + 3u) / 4u;
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= params.rows * quads) {
    return;
  }
  let row = i / quads;
  let first = (i % quads) * 4u;
  let columns = min(params.width - first, 4u);
  var total = vec4f();
  for (var n = 0u; n < params.count; n++) {
    if (index[n] == i32(row)) {
      for (var c = 0u; c < columns; c++) {
        total[c] += source[n * params.width + first + c];
      }
    }
  }
  for (var c = 0u; c < columns; c++) {
    out[row * params.width + first + c] = total[c];
  }
}
