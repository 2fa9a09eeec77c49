// The sort of each run by itself: orders its positions by index, equal ones by position. One invocation places one position,
// behind all of its run that come before it.

// @include lib/scatter.wgsl

@compute @workgroup_size(WORKGROUP)
fn scatter_sort(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  if (i >= params.count) {
    return;
  }
  let own = index[i];
  let first = (i / params.run) * params.run;
  var rank = 0u;
  for (var n = first; n < min(first + params.run, params.count); n++) {
    rank += select(0u, 1u, index[n] < own || (index[n] == own && n < i));
  }
  order[first + rank] = i32(i);
}
