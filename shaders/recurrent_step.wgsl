// One phase of one time step of a recurrent layer, forward or backward, of all chains: products of weights with
// vectors that lie in memory, means over a row's units, then the cell's update of each unit, fused. One invocation owns
// UNITS units of ROWS batch rows and all products of them, so nothing leaves the registers between product and update.
// Most cells have one phase; what a unit reads of other units was written by an earlier phase or step.

// @include lib/recurrent.wgsl

override WORKGROUP: u32 = 32;

// @unroll PHASE 1
@compute @workgroup_size(WORKGROUP)
fn recurrent_step(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x * UNITS;
  let row = id.y * ROWS;
  let chain = id.z;
  let next = step_of(params.next, chain);
  if (unit >= WIDTH_PHASE || !has_PHASE(next)) {
    return;
  }
  var product = products_PHASE(next, chain, row, unit, 0u, 0u);
  for (var r = 0u; r < min(ROWS, params.batch - row); r++) {
    let mean = means_of_PHASE(max(next, 1u), chain, row + r);
    for (var u = 0u; u < min(UNITS, WIDTH_PHASE - unit); u++) {
      apply_PHASE(next, chain, row + r, unit + u, product[r * UNITS + u], mean);
    }
  }
}
// @end
