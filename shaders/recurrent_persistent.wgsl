// Many steps of a recurrent loop in one launch, forward or backward: a persistent kernel (Diamos et al., "Persistent RNNs",
// 2016). A workgroup owns ROWS batch rows of a pseudo-layer and all their units. Rows are independent, so nothing crosses
// workgroups; what a unit reads of other units was written before the last barrier. LANES invocations own neighbouring units, and
// SPLITS of them share the sum over k of a unit (split-K). A launch with several workgroups along x does one step: each owns some
// of the units. Each step streams the weights from storage memory, or the launch loads them once: into workgroup memory, or into
// the registers of the invocation that multiplies by them, which are an array in private memory that only constants index.

// @include lib/recurrent.wgsl

override LANES: u32 = 64;
override INVOCATIONS: u32 = 64;   // LANES * SPLITS
override PARTIALS: u32 = 1;       // partial sums in workgroup memory
override QUADS: u32 = 1;          // packed weights of a pseudo-layer in workgroup memory

var<workgroup> partials: array<f32, PARTIALS>;      // (SPLITS, products of a tile, LANES)
var<workgroup> workgroup_weights: array<Packed, QUADS>;

@compute @workgroup_size(INVOCATIONS)
fn recurrent_persistent(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = local % LANES;
  // The remainder changes nothing, but tells a compiler that an invocation reads all quads in its registers.
  let split = (local / LANES) % SPLITS;
  let row = group.y * ROWS;
  let layer = group.z;
  // @unroll ONCE IN_WORKGROUP
  for (var i = local; i < QUADS; i += INVOCATIONS) {
    workgroup_weights[i] = packed_at(layer * QUADS + i);
  }
  workgroupBarrier();
  // @end
  // @unroll ONCE IN_REGISTERS
  // @unroll PHASE PHASES
  // @unroll P VECTORS_PHASE
  // @unroll Q COPIES_PHASE
  // @unroll G MATRICES_PHASE
  registers_PHASE[(P * COPIES_PHASE + Q) * MATRICES_PHASE + G] = packed_at(quad_at_PHASE(
    weight_start_PHASE_P(layer), min(split + Q * SPLITS, (depth_PHASE_P() - 1u) / 4u), G, min(lane, WIDTH_PHASE - 1u)));
  // @end
  // @end
  // @end
  // @end
  // @end
  for (var done = 0u; done < params.count; done++) {
    let next = step_of(u32(i32(params.next) + i32(done) * params.stride), layer);
    // @unroll PHASE PHASES
    if (has_PHASE(next)) {
      for (var turn = 0u; turn < TURNS_PHASE; turn++) {
        let unit = ((group.x * TURNS_PHASE + turn) * LANES + lane) * UNITS;
        const COUNT = ROWS * UNITS * PRODUCTS_PHASE;
        var product: array<array<f32, PRODUCTS_PHASE>, ROWS * UNITS>;
        if (unit < WIDTH_PHASE) {
          product = products_PHASE(next, layer, row, unit, split, 0u);
        }
        if (SPLITS > 1u) {
          for (var i = 0u; i < COUNT; i++) {
            partials[(split * COUNT + i) * LANES + lane] = product[i / PRODUCTS_PHASE][i % PRODUCTS_PHASE];
          }
          workgroupBarrier();
        }
        // The update is split too: each invocation takes every SPLITS-th of the rows and units.
        for (var i = split; i < ROWS * UNITS; i += SPLITS) {
          let own_row = row + i / UNITS;
          let own_unit = unit + i % UNITS;
          if (own_row < params.batch && own_unit < WIDTH_PHASE) {
            var sums = product[i];
            if (SPLITS > 1u) {
              for (var p = 0u; p < PRODUCTS_PHASE; p++) {
                var sum = 0.0;
                for (var s = 0u; s < SPLITS; s++) {
                  sum += partials[(s * COUNT + i * PRODUCTS_PHASE + p) * LANES + lane];
                }
                sums[p] = sum;
              }
            }
            let mean = means_of_PHASE(max(next, 1u), layer, own_row);
            apply_PHASE(next, layer, own_row, own_unit, sums, mean);
          }
        }
        if (SPLITS > 1u) {
          workgroupBarrier();
        }
      }
      storageBarrier();
    }
    // @end
  }
}
