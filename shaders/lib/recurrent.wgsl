// What the kernels of a recurrent layer share: bindings, where rows lie, and the phases of a cell's step.

// @include lib/nonlinear.wgsl
// @include lib/philox.wgsl
// @include lib/packed.wgsl

struct Params {
  next: u32,      // the first step, counted from 1 in the order of processing; 0 once the backward loop is through
  count: u32,     // steps of this launch
  stride: i32,    // from one to the next: 1 forward, -1 backward
  steps: u32,     // T
  batch: u32,     // B
}

override SLICES: u32 = 1;         // how many invocations share a sum over k
const ROWS = 1u;                  // these stand in for unrolled counts
const UNITS = 1u;
const R = 0u;
const U = 0u;
const P = 0u;
const Q = 0u;
const G = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> stash: array<f32>;     // (D, T, B, row) what a step keeps for the backward pass
@group(0) @binding(2) var<storage, read_write> states: array<f32>;    // per state (D, N, B, W), N = T + 1 or state_times(); backward only read
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;        // per vector (depth / 4, matrices, WIDTH) of 4 k, packed
@group(0) @binding(4) var<storage, read> vectors: array<f32>;         // (D, biases and weights of one number per unit)
@group(0) @binding(5) var<storage, read> rows: array<f32>;            // factors of h (D, B, W), then the mask (D, T, B)
@group(0) @binding(6) var<storage, read> seed: array<i32>;            // key of the random numbers (2)
@group(0) @binding(7) var<storage, read_write> carry: array<f32>;     // per state (D, B, W) gradients on their way back; of a single step the initial states
@group(0) @binding(8) var<storage, read> d_output: array<f32>;        // (T, B, D, W)
@group(0) @binding(9) var<storage, read_write> output: array<f32>;    // (T, B, D, W) where not all states are kept
// The packed weights as they are in other precisions, and of int8 the largest magnitude of each row of each matrix.
@group(0) @binding(10) var<storage, read> halves: array<vec2u>;
@group(0) @binding(11) var<storage, read> bytes: array<u32>;
@group(0) @binding(12) var<storage, read> largest: array<f32>;        // (D, rows)

// Chains are the directions of a layer, of which the second goes from the last time to the first, or stacked layers.
fn is_reverse(chain: u32) -> bool {
  return !STACKED && chain == 1u;
}

/// Whether it is the last of stacked layers, whose h is the output.
fn is_last(chain: u32) -> bool {
  return chain + 1u == CHAINS;
}

/// Which step a chain is at: of stacked layers each is one behind the layer below, on the way back one ahead of it. Those that
/// have not begun, or are through, are past the last step or at 0.
fn step_of(moment: u32, chain: u32) -> u32 {
  return select(moment, moment - chain, STACKED);
}

fn time_of(chain: u32, order: u32) -> u32 {
  return select(order, params.steps - 1u - order, is_reverse(chain));
}

fn stash_row(chain: u32, order: u32, row: u32) -> u32 {
  return (chain * params.steps + time_of(chain, order)) * params.batch + row;
}

/// Where the rows of the output lie, in rows.
fn output_row(chain: u32, order: u32, row: u32) -> u32 {
  let at = time_of(chain, order) * params.batch + row;
  return select(at * CHAINS + chain, at, STACKED);
}

// @splice phases
// Generated from a cell's declaration; these lines are an Elman cell's step forward, so that the file compiles as it stands.
const KEEPS_STATES = true;                          // of every step, for the backward pass; else of the last two, or of a single step alone
const STACKED = false;                              // chains are layers, not directions
const CHAINS = 1u;

fn is_active(chain: u32, order: u32, row: u32) -> bool {
  return true;
}

alias Packed = vec4f;                               // four weights that follow each other along k, packed

fn packed_at(at: u32) -> Packed {
  return weight[at];
}

fn unpacked(quad: Packed) -> vec4f {
  return quad;
}

const WIDTH_PHASE = 4u;                             // units of what the phase computes
const RESULTS_PHASE = 1u;                           // products
const GROUPS_PHASE = 1u;                            // vectors that they read
const TAKES_PHASE = 1u;                             // matrices that take each
const MEANS_PHASE = 1u;
const RESULT_PHASE = array<u32, 1>(0u);             // which product each matrix of each vector adds to
const FINISHES_PHASE = false;
const TURNS_PHASE = 1u;                             // tiles of units that an invocation takes one after the other

var<private> held_PHASE: array<Packed, 1>;          // (GROUPS, COPIES, TAKES) where weights are held, else not declared

/// A quad of weights: of those in memory that at `at`, of those that an invocation holds that at `place`, a constant.
fn weight_at_PHASE(at: u32, place: u32) -> vec4f {
  return unpacked(packed_at(at));
}

fn weight_start_PHASE_P(chain: u32) -> u32 {
  return chain * 4u;
}

fn depth_PHASE_P() -> u32 {
  return 4u;
}

fn base_of_PHASE_P(next: u32, chain: u32, row: u32) -> u32 {
  return state_row(chain, next - 1u, row) * 4u;
}

fn vector_PHASE_P(base: u32, chain: u32, row: u32, k: u32, lane: u32) -> vec4f {
  return vec4f(states[base + k], states[base + k + 1u], states[base + k + 2u], states[base + k + 3u]);
}

fn is_live_PHASE_P(next: u32, chain: u32, row: u32) -> bool {     // whether any of it is not 0 for a step that counts
  return true;
}

fn means_of_PHASE(next: u32, chain: u32, row: u32) -> array<f32, MEANS_PHASE> {
  return array<f32, MEANS_PHASE>(0.0);
}

fn update_PHASE(next: u32, chain: u32, row: u32, unit: u32, product: array<f32, RESULTS_PHASE>, mean: array<f32, MEANS_PHASE>) {
  let order = next - 1u;
  let here = stash_row(chain, order, row) * 4u + unit;
  let v0 = stash[here] + product[0];
  states[state_row(chain, next, row) * 4u + unit] = stable_tanh(v0);
  stash[here] = v0;
}

fn finish_PHASE(next: u32, chain: u32, row: u32, unit: u32, product: array<f32, RESULTS_PHASE>) {
}
// @end

/// States of how many times lie in memory, and where the rows of those after `done` steps lie, in rows.
fn state_times() -> u32 {
  return select(min(2u, params.steps), params.steps + 1u, KEEPS_STATES);
}

fn state_row(chain: u32, done: u32, row: u32) -> u32 {
  let time = select(done % state_times(), select(done, params.steps - done, is_reverse(chain)), KEEPS_STATES);
  return (chain * state_times() + time) * params.batch + row;
}

// @unroll PHASE PHASES
const COPIES_PHASE = 1u;          // of the loop over k: 1, or as many as it has turns where weights are held

/// Where a quad lies among those that are packed.
fn quad_at_PHASE(start: u32, quad: u32, take: u32, unit: u32) -> u32 {
  return start + (quad * TAKES_PHASE + take) * WIDTH_PHASE + unit;
}

/// The products of UNITS units and ROWS rows, over every SLICES-th quad of k. Those past the end read the last and are not written.
/// Where invocations load vectors together, `lane` is which of them this is.
fn products_PHASE(next: u32, chain: u32, row: u32, unit: u32, slice: u32, lane: u32) -> array<array<f32, RESULTS_PHASE>, ROWS * UNITS> {
  // @unroll R ROWS
  let row_R = min(row + R, params.batch - 1u);
  // @unroll U UNITS
  var sum_R_U: array<f32, RESULTS_PHASE>;
  // @end
  // @end
  // @unroll U UNITS
  let unit_U = min(unit + U, WIDTH_PHASE - 1u);
  // @end
  // @unroll P GROUPS_PHASE
  // Where all rows are masked there is nothing to multiply.
  var live_P = false;
  // @unroll R ROWS
  live_P = live_P || is_live_PHASE_P(next, chain, row_R);
  // @end
  if (live_P) {
    let start = weight_start_PHASE_P(chain);
    // @unroll R ROWS
    let base_R = base_of_PHASE_P(next, chain, row_R);
    // @end
    // @unroll Q COPIES_PHASE
    for (var quad = slice + Q * SLICES; quad < (depth_PHASE_P() + 3u) / 4u; quad += COPIES_PHASE * SLICES) {
      // @unroll R ROWS
      let x_R = vector_PHASE_P(base_R, chain, row_R, quad * 4u, lane);
      // @end
      // @unroll U UNITS
      // @unroll G TAKES_PHASE
      let weight_U_G = weight_at_PHASE(
        quad_at_PHASE(start, quad, G, unit_U), (P * COPIES_PHASE + Q) * TAKES_PHASE + G);
      // @unroll R ROWS
      sum_R_U[RESULT_PHASE[P * TAKES_PHASE + G]] += dot(weight_U_G, x_R);
      // @end
      // @end
      // @end
    }
    // @end
  }
  // @end
  // The sums leave the registers here, so that the update is compiled once and not for each of them.
  var product: array<array<f32, RESULTS_PHASE>, ROWS * UNITS>;
  // @unroll R ROWS
  // @unroll U UNITS
  product[R * UNITS + U] = sum_R_U;
  // @end
  // @end
  return product;
}

/// Whether there is anything to do at a step.
fn has_PHASE(next: u32) -> bool {
  return next <= params.steps && (next > 0u || FINISHES_PHASE);
}

/// The update of one unit, or once the loop is through what is still missing from the initial states' gradients.
fn apply_PHASE(next: u32, chain: u32, row: u32, unit: u32, product: array<f32, RESULTS_PHASE>, mean: array<f32, MEANS_PHASE>) {
  if (FINISHES_PHASE && next == 0u) {
    finish_PHASE(next, chain, row, unit, product);
  } else {
    update_PHASE(next, chain, row, unit, product, mean);
  }
}
// @end
