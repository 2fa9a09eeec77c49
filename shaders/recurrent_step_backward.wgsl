// One time step of a recurrent layer's backward pass: dh = d output + dG_{t+1} · W_hh + what the cell passed
// straight on, then the cell's derivative. d(pre-activation) overwrites the pre-activations in place, and the
// weights' gradients are one product each after the loop. One invocation owns UNITS units of ROWS batch rows.

// @include lib/nonlinear.wgsl
// @include lib/cell.wgsl

struct Params {
  next: u32,      // t + 1: from T down to 0; at 0 only the initial state's gradient is left to finish
  steps: u32,     // T
  batch: u32,     // B
}

override HIDDEN: u32 = 4;         // H
override WORKGROUP: u32 = 32;
const ROWS = 1u;                  // these stand in for unrolled counts
const UNITS = 1u;
const R = 0u;
const U = 0u;
const G = 0u;
const S = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> stash: array<f32>;     // (T, B, SLOTS, H) pre-activations, then their gradients
@group(0) @binding(2) var<storage, read> states: array<f32>;          // (STATES, T + 1, B, H)
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;        // (GATES, H / 4, H) of 4 k: W_hh transposed, packed
@group(0) @binding(4) var<storage, read_write> carry: array<f32>;     // (STATES, B, H) d of the states after step t, then before it
@group(0) @binding(5) var<storage, read> d_output: array<f32>;        // (T, B, H)

// @splice d_output
fn d_output_at(i: u32) -> f32 {
  return d_output[i];
}
// @end

/// Four gradients of one gate of one row, from unit k on; 0 past the last unit.
fn four_gradients(base: u32, k: u32) -> vec4f {
  if (HIDDEN % 4u == 0u) {
    return vec4f(stash[base + k], stash[base + k + 1u], stash[base + k + 2u], stash[base + k + 3u]);
  }
  var four = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (k + i < HIDDEN) {
      four[i] = stash[base + k + i];
    }
  }
  return four;
}

fn carry_index(state: u32, row: u32, unit: u32) -> u32 {
  return (state * params.batch + row) * HIDDEN + unit;
}

fn update(row: u32, unit: u32, product: f32) {
  var d: array<f32, STATES>;
  // @unroll S STATES
  d[S] = carry[carry_index(S, row, unit)];
  // @end
  d[0] += product;
  if (params.next > 0u) {
    let step = params.next - 1u;
    let at = ((step * params.batch + row) * SLOTS) * HIDDEN + unit;
    d[0] += d_output_at((step * params.batch + row) * HIDDEN + unit);
    var gate: array<f32, SLOTS>;
    // @unroll G SLOTS
    gate[G] = stash[at + G * HIDDEN];
    // @end
    var previous: array<f32, STATES>;
    // @unroll S STATES
    previous[S] = states[((S * (params.steps + 1u) + step) * params.batch + row) * HIDDEN + unit];
    // @end
    let gradient = cell_backward(gate, previous, d);
    // @unroll G SLOTS
    stash[at + G * HIDDEN] = gradient.gate[G];
    // @end
    d = gradient.state;
  }
  // @unroll S STATES
  carry[carry_index(S, row, unit)] = d[S];
  // @end
}

@compute @workgroup_size(WORKGROUP)
fn recurrent_step_backward(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x * UNITS;
  let row = id.y * ROWS;
  if (unit >= HIDDEN) {
    return;
  }
  // Rows and units past the end read the last one and are not written.
  // @unroll R ROWS
  let base_R = (params.next * params.batch + min(row + R, params.batch - 1u)) * SLOTS * HIDDEN;
  // @unroll U UNITS
  var sum_R_U = 0.0;
  // @end
  // @end
  // @unroll U UNITS
  let unit_U = min(unit + U, HIDDEN - 1u);
  // @end
  if (params.next < params.steps) {
    // @unroll G GATES
    for (var quad = 0u; quad < (HIDDEN + 3u) / 4u; quad++) {
      // @unroll U UNITS
      let weight_U = weight[(G * ((HIDDEN + 3u) / 4u) + quad) * HIDDEN + unit_U];
      // @end
      // @unroll R ROWS
      let d_R = four_gradients(base_R + RECURRENT_SLOT[G] * HIDDEN, quad * 4u);
      // @unroll U UNITS
      sum_R_U += dot(weight_U, d_R);
      // @end
      // @end
    }
    // @end
  }
  // The sums leave the registers here, so that the update is compiled once and not for each of them.
  var product: array<f32, ROWS * UNITS>;
  // @unroll R ROWS
  // @unroll U UNITS
  product[R * UNITS + U] = sum_R_U;
  // @end
  // @end
  for (var r = 0u; r < min(ROWS, params.batch - row); r++) {
    for (var u = 0u; u < min(UNITS, HIDDEN - unit); u++) {
      update(row + r, unit + u, product[r * UNITS + u]);
    }
  }
}
