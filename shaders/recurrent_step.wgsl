// One phase of one step of a recurrent loop, forward or backward, of all pseudo-layers: products of weights and vectors in
// memory, means over the units of a row, then the cell's update of each unit, fused. An invocation owns UNITS units of ROWS batch
// rows and all their products, so that nothing leaves the registers between product and update. Most cells have one phase; what a
// unit reads of other units was written by an earlier phase or step.

// @include lib/recurrent.wgsl

override WORKGROUP: u32 = 32;

// @unroll PHASE 1
@compute @workgroup_size(WORKGROUP)
fn recurrent_step(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x * UNITS;
  let row = id.y * ROWS;
  let layer = id.z;
  let next = step_of(params.next, layer);
  if (unit >= WIDTH_PHASE || !has_PHASE(next)) {
    return;
  }
  var product = products_PHASE(next, layer, row, unit, 0u, 0u);
  for (var r = 0u; r < min(ROWS, params.batch - row); r++) {
    let mean = means_of_PHASE(max(next, 1u), layer, row + r);
    for (var u = 0u; u < min(UNITS, WIDTH_PHASE - unit); u++) {
      apply_PHASE(next, layer, row + r, unit + u, product[r * UNITS + u], mean);
    }
  }
}
// @end
