// Merges pairs of neighbouring runs of positions that are in order by index. One invocation places one position: behind those
// before it in its run, and those of the other run that a binary search finds.

// @include lib/scatter.wgsl

@group(0) @binding(5) var<storage, read_write> merged: array<i32>;  // (count)

@compute @workgroup_size(WORKGROUP)
fn scatter_merge(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= params.count) {
    return;
  }
  let own = index_at(i);
  let first = (i / (2u * params.run)) * 2u * params.run;
  let middle = min(first + params.run, params.count);
  let is_left = i < middle;
  // The places in the other run where the first position to come behind the own one may be.
  var low = select(first, middle, is_left);
  var high = select(middle, min(middle + params.run, params.count), is_left);
  while (low < high) {
    let between = (low + high) / 2u;
    let other = index_at(between);
    // Of equal indices those of the left run come first.
    if (other < own || (other == own && !is_left)) {
      low = between + 1u;
    } else {
      high = between;
    }
  }
  // i and low each count from the start of their run, and one of the runs starts at the middle.
  merged[i + low - middle] = order[i];
}
