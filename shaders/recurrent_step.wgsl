// One phase of one time step of a recurrent layer, forward or backward, of both directions: products of weights with
// vectors that lie in memory, means over a row's units, then the cell's update of each unit, fused. One invocation owns
// UNITS units of ROWS batch rows and all products of them, so nothing leaves the registers between product and update.
// Most cells have one phase; what a unit reads of other units was written by an earlier phase or step.

// @include lib/nonlinear.wgsl
// @include lib/philox.wgsl

struct Params {
  next: u32,      // the step, counted from 1 in the order of processing; 0 once the backward loop is through
  steps: u32,     // T
  batch: u32,     // B
}

override WORKGROUP: u32 = 32;
const ROWS = 1u;                  // these stand in for unrolled counts
const UNITS = 1u;
const R = 0u;
const U = 0u;
const P = 0u;
const G = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> stash: array<f32>;     // (D, T, B, row) what a step keeps for the backward pass
@group(0) @binding(2) var<storage, read_write> states: array<f32>;    // per state (D, T + 1, B, W); backward only read
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;        // per vector (depth / 4, matrices, WIDTH) of 4 k, packed
@group(0) @binding(4) var<storage, read> vectors: array<f32>;         // (D, biases and weights of one number per unit)
@group(0) @binding(5) var<storage, read> rows: array<f32>;            // factors of h (D, B, W), then the mask (D, T, B)
@group(0) @binding(6) var<storage, read> seed: array<i32>;            // key of the random numbers (2)
@group(0) @binding(7) var<storage, read_write> carry: array<f32>;     // per state (D, B, W) gradients on their way back
@group(0) @binding(8) var<storage, read> d_output: array<f32>;        // (T, B, D, W)

// Direction 0 goes from the first time to the last, direction 1 from the last to the first.
fn time_of(direction: u32, order: u32) -> u32 {
  return select(order, params.steps - 1u - order, direction == 1u);
}

/// Where the rows of the states after `done` steps lie, in rows.
fn state_row(direction: u32, done: u32, row: u32) -> u32 {
  let time = select(done, params.steps - done, direction == 1u);
  return (direction * (params.steps + 1u) + time) * params.batch + row;
}

fn stash_row(direction: u32, order: u32, row: u32) -> u32 {
  return (direction * params.steps + time_of(direction, order)) * params.batch + row;
}

// @splice phase
// Generated from a cell's declaration; these lines are an Elman cell's step forward, so that the file compiles as it stands.
const WIDTH = 4u;                                   // units of what the phase computes
const RESULTS = 1u;                                 // products
const GROUPS = 1u;                                  // vectors that they read
const TAKES = 1u;                                   // matrices that take each
const MEANS = 1u;
const RESULT = array<u32, 1>(0u);                   // which product each matrix of each vector adds to
const FINISHES = false;

fn weight_start_P(direction: u32) -> u32 {
  return direction * 4u;
}

fn depth_P() -> u32 {
  return 4u;
}

fn base_of_P(direction: u32, row: u32) -> u32 {
  return state_row(direction, params.next - 1u, row) * 4u;
}

fn source_P(base: u32, direction: u32, row: u32, k: u32) -> f32 {
  return states[base + k];
}

fn is_live_P(direction: u32, row: u32) -> bool {     // whether any of it is not 0 for a step that counts
  return true;
}

fn means_of(direction: u32, row: u32) -> array<f32, MEANS> {
  return array<f32, MEANS>(0.0);
}

fn update(direction: u32, row: u32, unit: u32, product: array<f32, RESULTS>, mean: array<f32, MEANS>) {
  let order = params.next - 1u;
  let here = stash_row(direction, order, row) * 4u + unit;
  let v0 = stash[here] + product[0];
  states[state_row(direction, params.next, row) * 4u + unit] = stable_tanh(v0);
  stash[here] = v0;
}

fn finish(direction: u32, row: u32, unit: u32, product: array<f32, RESULTS>) {
}
// @end

@compute @workgroup_size(WORKGROUP)
fn recurrent_step(@builtin(global_invocation_id) id: vec3u) {
  let unit = id.x * UNITS;
  let row = id.y * ROWS;
  let direction = id.z;
  if (unit >= WIDTH) {
    return;
  }
  // Rows and units past the end read the last one and are not written.
  // @unroll R ROWS
  let row_R = min(row + R, params.batch - 1u);
  // @unroll U UNITS
  var sum_R_U: array<f32, RESULTS>;
  // @end
  // @end
  // @unroll U UNITS
  let unit_U = min(unit + U, WIDTH - 1u);
  // @end
  // @unroll P GROUPS
  // Where all rows are masked there is nothing to multiply.
  var live_P = false;
  // @unroll R ROWS
  live_P = live_P || is_live_P(direction, row_R);
  // @end
  if (live_P) {
    let start = weight_start_P(direction);
    // @unroll R ROWS
    let base_R = base_of_P(direction, row_R);
    // @end
    for (var quad = 0u; quad < (depth_P() + 3u) / 4u; quad++) {
      let k = quad * 4u;
      // @unroll R ROWS
      var x_R = vec4f();
      if (depth_P() % 4u == 0u) {
        x_R = vec4f(
          source_P(base_R, direction, row_R, k), source_P(base_R, direction, row_R, k + 1u),
          source_P(base_R, direction, row_R, k + 2u), source_P(base_R, direction, row_R, k + 3u));
      } else {
        for (var i = 0u; i < 4u; i++) {
          if (k + i < depth_P()) {
            x_R[i] = source_P(base_R, direction, row_R, k + i);
          }
        }
      }
      // @end
      // @unroll U UNITS
      // @unroll G TAKES
      let weight_U_G = weight[start + (quad * TAKES + G) * WIDTH + unit_U];
      // @unroll R ROWS
      sum_R_U[RESULT[P * TAKES + G]] += dot(weight_U_G, x_R);
      // @end
      // @end
      // @end
    }
  }
  // @end
  // The sums leave the registers here, so that the update is compiled once and not for each of them.
  var product: array<array<f32, RESULTS>, ROWS * UNITS>;
  // @unroll R ROWS
  // @unroll U UNITS
  product[R * UNITS + U] = sum_R_U;
  // @end
  // @end
  for (var r = 0u; r < min(ROWS, params.batch - row); r++) {
    if (FINISHES && params.next == 0u) {
      for (var u = 0u; u < min(UNITS, WIDTH - unit); u++) {
        finish(direction, row + r, unit + u, product[r * UNITS + u]);
      }
    } else {
      let mean = means_of(direction, row + r);
      for (var u = 0u; u < min(UNITS, WIDTH - unit); u++) {
        update(direction, row + r, unit + u, product[r * UNITS + u], mean);
      }
    }
  }
}
