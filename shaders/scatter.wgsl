// The transpose of gather: out[v, e] = sum of source[i, e] over all i with index[i] = v, in the order of i; `out` is zeros before.
// One invocation sums one column of a chunk of the order, without atomics: the same inputs give the same bits. It stores the sum
// of each run of one index in the result, and that of a run that began in an earlier chunk in `parts`, for scatter_join. A source
// row with an index outside the table is dropped.

// @include lib/scatter.wgsl

@group(0) @binding(5) var<storage, read> source: array<f32>;        // (count, width)

@compute @workgroup_size(WORKGROUP)
fn scatter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= params.chunks * params.width) {
    return;
  }
  let column = i % params.width;
  let first = (i / params.width) * params.chunk;
  let end = min(first + params.chunk, params.count);
  var row = index_at(first);
  var is_part = began_before(first, row);
  var total = 0.0;
  for (var place = first; place < end; place++) {
    total += source[u32(order[place]) * params.width + column];
    let next = index_at(min(place + 1u, end - 1u));
    if (next == row && place + 1u < end) {
      continue;
    }
    if (is_part) {
      parts[i] = total;
    } else if (is_inside(row)) {
      out[u32(row) * params.width + column] = total;
    }
    is_part = false;
    row = next;
    total = 0.0;
  }
}
