// Adds the parts of each run that goes on in later chunks to the sum that the chunk where it began has stored, in the order of the
// chunks. One invocation owns one column of the run that goes on behind a chunk, if it began there.

// @include lib/scatter.wgsl

@compute @workgroup_size(WORKGROUP)
fn scatter_join(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= (params.chunks - 1u) * params.width) {
    return;
  }
  let column = i % params.width;
  let first = (i / params.width) * params.chunk;
  let behind = first + params.chunk;
  let row = index_at(behind);
  if (index_at(behind - 1u) != row || began_before(first, row) || !is_inside(row)) {
    return;
  }
  let target_index = u32(row) * params.width + column;
  var total = out[target_index];
  for (var place = behind; place < params.count && index_at(min(place, params.count - 1u)) == row; place += params.chunk) {
    total += parts[(place / params.chunk) * params.width + column];
  }
  out[target_index] = total;
}
