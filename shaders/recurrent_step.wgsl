// One time step of a recurrent layer: the recurrent product of all gates and the cell's update, fused.
// One invocation owns UNITS units of ROWS batch rows and all gates of them, so gates never leave registers
// before the update. The pre-activations overwrite the input products in place; the backward pass starts from them.

// @include lib/nonlinear.wgsl
// @include lib/cell.wgsl

struct Params {
  step: u32,      // t
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
@group(0) @binding(1) var<storage, read_write> stash: array<f32>;     // (T, B, SLOTS, H) input products, then pre-activations
@group(0) @binding(2) var<storage, read_write> states: array<f32>;    // (STATES, T + 1, B, H), row 0 of time is the initial state
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;        // (H / 4, GATES, H) of 4 k: W_hh packed
@group(0) @binding(4) var<storage, read> bias: array<f32>;            // (GATES, H)

// @splice bias
fn bias_at(i: u32) -> f32 {
  return bias[i];
}
// @end

fn state_index(state: u32, time: u32, row: u32) -> u32 {
  return ((state * (params.steps + 1u) + time) * params.batch + row) * HIDDEN;
}

/// Four h of one row, from unit k on; 0 past the last unit.
fn four_states(base: u32, k: u32) -> vec4f {
  if (HIDDEN % 4u == 0u) {
    return vec4f(states[base + k], states[base + k + 1u], states[base + k + 2u], states[base + k + 3u]);
  }
  var four = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (k + i < HIDDEN) {
      four[i] = states[base + k + i];
    }
  }
  return four;
}

fn update(row: u32, unit: u32, product: array<f32, GATES>) {
  let at = ((params.step * params.batch + row) * SLOTS) * HIDDEN + unit;
  var gate: array<f32, SLOTS>;
  // @unroll G GATES
  gate[G] = stash[at + G * HIDDEN];
  // @end
  // @unroll G GATES
  gate[RECURRENT_SLOT[G]] += product[G] + bias_at(G * HIDDEN + unit);
  // @end
  // @unroll G SLOTS
  stash[at + G * HIDDEN] = gate[G];
  // @end
  var previous: array<f32, STATES>;
  // @unroll S STATES
  previous[S] = states[state_index(S, params.step, row) + unit];
  // @end
  let next = cell(gate, previous);
  // @unroll S STATES
  states[state_index(S, params.step + 1u, row) + unit] = next[S];
  // @end
}

@compute @workgroup_size(WORKGROUP)
fn recurrent_step(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x * UNITS;
  let row = id.y * ROWS;
  if (unit >= HIDDEN) {
    return;
  }
  // Rows and units past the end read the last one and are not written.
  // @unroll R ROWS
  let base_R = state_index(0u, params.step, min(row + R, params.batch - 1u));
  // @unroll U UNITS
  var sum_R_U: array<f32, GATES>;
  // @end
  // @end
  // @unroll U UNITS
  let unit_U = min(unit + U, HIDDEN - 1u);
  // @end
  for (var quad = 0u; quad < (HIDDEN + 3u) / 4u; quad++) {
    // @unroll R ROWS
    let h_R = four_states(base_R, quad * 4u);
    // @end
    // @unroll U UNITS
    // @unroll G GATES
    let weight_U_G = weight[(quad * GATES + G) * HIDDEN + unit_U];
    // @unroll R ROWS
    sum_R_U[G] += dot(weight_U_G, h_R);
    // @end
    // @end
    // @end
  }
  // The sums leave the registers here, so that the update is compiled once and not for each of them.
  var product: array<array<f32, GATES>, ROWS * UNITS>;
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
