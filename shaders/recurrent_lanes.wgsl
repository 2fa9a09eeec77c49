// The phase of recurrent_step.wgsl for adapters whose subgroups are of four, and whose loads cost more than all else: the four
// invocations of a workgroup own neighbouring units of the same rows, and each loads a fourth of the vectors that all of them need.

enable subgroups;

// @include lib/recurrent.wgsl

// @unroll PHASE 1
@compute @workgroup_size(4)
fn recurrent_lanes(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let unit = (group.x * 4u + lane) * UNITS;
  let row = group.y * ROWS;
  let chain = group.z;
  let next = step_of(params.next, chain);
  if (!has_PHASE(next)) {
    return;
  }
  var product = products_PHASE(next, chain, row, unit, 0u, lane);
  for (var r = 0u; r < min(ROWS, params.batch - row); r++) {
    let mean = means_of_PHASE(max(next, 1u), chain, row + r);
    for (var u = 0u; u < UNITS && unit + u < WIDTH_PHASE; u++) {
      apply_PHASE(next, chain, row + r, unit + u, product[r * UNITS + u], mean);
    }
  }
}
// @end
