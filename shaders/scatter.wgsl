// The transpose of gather: out[v, e] = sum of source[i, e] over the i with index[i] = v, in the order of i.
// One invocation owns one element of the result and looks through all indices: no atomics, so the same
// inputs give the same bits.

// @include lib/linear_id.wgsl

struct Params {
  width: u32,     // of a row
  count: u32,     // number of indices
  size: u32,      // rows of the table * width
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;       // (count, width)
@group(0) @binding(2) var<storage, read> index: array<i32>;        // (count)
@group(0) @binding(3) var<storage, read_write> out: array<f32>;    // (size / width, width)

@compute @workgroup_size(WORKGROUP)
fn scatter(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let element = linear_id(group, groups, local, WORKGROUP);
  if (element >= params.size) {
    return;
  }
  let row = i32(element / params.width);
  let column = element % params.width;
  var total = 0.0;
  for (var i = 0u; i < params.count; i++) {
    if (index[i] == row) {
      total += source[i * params.width + column];
    }
  }
  out[element] = total;
}
