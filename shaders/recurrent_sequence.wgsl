// Many time steps of a recurrent layer in one launch, forward or backward. A workgroup owns ROWS batch rows of a chain and
// all their units: rows are independent, so nothing crosses workgroups, and what a unit reads of other units was written
// before the last barrier. LANES invocations side by side own neighbouring units; SLICES of them share a unit's sums over k.
// With several workgroups along x it is one step of which each owns some units, for the sake of the slices alone.
// Weights are read from storage memory at each step, or once before the first: then they lie in workgroup memory, or each
// invocation holds those that it multiplies by in an array that is only indexed by constants: in its registers.

// @include lib/recurrent.wgsl

override LANES: u32 = 64;
override INVOCATIONS: u32 = 64;   // LANES * SLICES
override PARTS: u32 = 1;
override QUADS: u32 = 1;          // of a chain's packed weights, where they are shared

var<workgroup> parts: array<f32, PARTS>;      // (SLICES, products of a tile, LANES)
var<workgroup> shared_weights: array<Packed, QUADS>;

@compute @workgroup_size(INVOCATIONS)
fn recurrent_sequence(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = local % LANES;
  // Which is below SLICES anyway, a power of two: so a compiler sees that an invocation takes all quads that it holds.
  let slice = (local / LANES) % SLICES;
  let row = group.y * ROWS;
  let chain = group.z;
  // @unroll ONCE SHARES
  for (var i = local; i < QUADS; i += INVOCATIONS) {
    shared_weights[i] = packed_at(chain * QUADS + i);
  }
  workgroupBarrier();
  // @end
  // @unroll ONCE HOLDS
  // @unroll PHASE PHASES
  // @unroll P GROUPS_PHASE
  // @unroll Q COPIES_PHASE
  // @unroll G TAKES_PHASE
  held_PHASE[(P * COPIES_PHASE + Q) * TAKES_PHASE + G] = packed_at(quad_at_PHASE(
    weight_start_PHASE_P(chain), min(slice + Q * SLICES, (depth_PHASE_P() - 1u) / 4u), G, min(lane, WIDTH_PHASE - 1u)));
  // @end
  // @end
  // @end
  // @end
  // @end
  for (var done = 0u; done < params.count; done++) {
    let next = step_of(u32(i32(params.next) + i32(done) * params.stride), chain);
    // @unroll PHASE PHASES
    if (has_PHASE(next)) {
      for (var turn = 0u; turn < TURNS_PHASE; turn++) {
        let unit = ((group.x * TURNS_PHASE + turn) * LANES + lane) * UNITS;
        const COUNT = ROWS * UNITS * RESULTS_PHASE;
        var product: array<array<f32, RESULTS_PHASE>, ROWS * UNITS>;
        if (unit < WIDTH_PHASE) {
          product = products_PHASE(next, chain, row, unit, slice, 0u);
        }
        if (SLICES > 1u) {
          for (var i = 0u; i < COUNT; i++) {
            parts[(slice * COUNT + i) * LANES + lane] = product[i / RESULTS_PHASE][i % RESULTS_PHASE];
          }
          workgroupBarrier();
        }
        // Slices share the update too: each takes every SLICES-th of the rows and units.
        for (var i = slice; i < ROWS * UNITS; i += SLICES) {
          let own_row = row + i / UNITS;
          let own_unit = unit + i % UNITS;
          if (own_row < params.batch && own_unit < WIDTH_PHASE) {
            var sums = product[i];
            if (SLICES > 1u) {
              for (var p = 0u; p < RESULTS_PHASE; p++) {
                var sum = 0.0;
                for (var s = 0u; s < SLICES; s++) {
                  sum += parts[(s * COUNT + i * RESULTS_PHASE + p) * LANES + lane];
                }
                sums[p] = sum;
              }
            }
            let mean = means_of_PHASE(max(next, 1u), chain, own_row);
            apply_PHASE(next, chain, own_row, own_unit, sums, mean);
          }
        }
        if (SLICES > 1u) {
          workgroupBarrier();
        }
      }
      storageBarrier();
    }
    // @end
  }
}
