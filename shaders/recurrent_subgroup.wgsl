// The phase of recurrent_step.wgsl for adapters with subgroups of four on which loads cost more than arithmetic: the four
// invocations of a workgroup own neighbouring units of the same rows, and each loads a quarter of the vectors that all of them
// read.

enable subgroups;

// @include lib/recurrent.wgsl

// @unroll PHASE 1
@compute @workgroup_size(4)
fn recurrent_subgroup(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let unit = (group.x * 4u + lane) * UNITS;
  let row = group.y * ROWS;
  let layer = group.z;
  let next = step_of(params.next, layer);
  if (!has_PHASE(next)) {
    return;
  }
  var product = products_PHASE(next, layer, row, unit, 0u, lane);
  for (var r = 0u; r < min(ROWS, params.batch - row); r++) {
    let mean = means_of_PHASE(max(next, 1u), layer, row + r);
    for (var u = 0u; u < UNITS && unit + u < WIDTH_PHASE; u++) {
      apply_PHASE(next, layer, row + r, unit + u, product[r * UNITS + u], mean);
    }
  }
}
// @end
