// Shared by the kernels of recurrent loops: bindings, times, and the phases of a cell's step.

// @include lib/nonlinear.wgsl
// @include lib/philox.wgsl
// @include lib/packed.wgsl

struct Params {
  next: u32,      // the first step, counted from 1 in the order of the forward pass; 0 finishes the backward loop
  count: u32,     // steps of this launch
  stride: i32,    // from one step to the next: 1 forward, -1 backward
  steps: u32,     // T
  batch: u32,     // B
}

override SPLITS: u32 = 1;         // how many invocations share a sum over k
const ROWS = 1u;                  // these stand in for unrolled counts
const UNITS = 1u;
const R = 0u;
const U = 0u;
const P = 0u;
const Q = 0u;
const G = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> reserve: array<f32>;   // (P, T, B, row) activations that are saved for the backward pass
@group(0) @binding(2) var<storage, read_write> states: array<f32>;    // per state (P, N, B, W), N times; only read backward
@group(0) @binding(3) var<storage, read> weight: array<vec4f>;        // per vector (depth / 4, matrices, WIDTH) of 4 k, packed
@group(0) @binding(4) var<storage, read> vectors: array<f32>;         // (P, biases and weights of one number per unit)
@group(0) @binding(5) var<storage, read> rows: array<f32>;            // factors of h (P, B, W), then the mask (P, T, B)
@group(0) @binding(6) var<storage, read> seed: array<i32>;            // key of the random numbers (2)
@group(0) @binding(7) var<storage, read_write> carry: array<f32>;     // per state (P, B, W) gradients of states; for a single step of inference the initial states
@group(0) @binding(8) var<storage, read_write> output: array<f32>;    // (T, B, D, W) in inference; backward its gradient, only read
// Packed weights in other precisions, and for int8 the largest magnitude of each row of each matrix.
@group(0) @binding(9) var<storage, read> halves: array<vec2u>;
@group(0) @binding(10) var<storage, read> bytes: array<u32>;
@group(0) @binding(11) var<storage, read> largest: array<f32>;        // (P, rows)

/// Whether it is the last layer of a wavefront, whose h is the output.
fn is_last(layer: u32) -> bool {
  return layer + 1u == LAYERS;
}

/// The step of a pseudo-layer, counted from 1. In a wavefront a layer is a step behind the one below, backward a step ahead of
/// it. An idle layer gets 0 or, since the difference wraps, a step past the last.
fn step_of(next: u32, layer: u32) -> u32 {
  return select(next, next - layer, WAVEFRONT);
}

// @splice phases
// Generated from a cell's declaration; these lines are an Elman cell's step forward, so that the file compiles as it stands.
const WAVEFRONT = false;                            // pseudo-layers are stacked layers, not directions
const LAYERS = 1u;

fn is_active(layer: u32, order: u32, row: u32) -> bool {
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
const PRODUCTS_PHASE = 1u;                          // sums of matrix-vector products
const VECTORS_PHASE = 1u;                           // vectors that they read
const MATRICES_PHASE = 1u;                          // matrices that multiply each vector
const MEANS_PHASE = 1u;
const PRODUCT_OF_PHASE = array<u32, 1>(0u);         // which product each matrix of each vector adds to
const FINISHES_PHASE = false;
const TURNS_PHASE = 1u;                             // tiles of units of an invocation, one after the other

var<private> registers_PHASE: array<Packed, 1>;     // (VECTORS, COPIES, MATRICES) if weights are in registers, else not declared

/// A quad of weights: at `at` in memory, or at the constant `index` in registers.
fn weight_at_PHASE(at: u32, index: u32) -> vec4f {
  return unpacked(packed_at(at));
}

fn weight_start_PHASE_P(layer: u32) -> u32 {
  return layer * 4u;
}

fn depth_PHASE_P() -> u32 {
  return 4u;
}

fn base_of_PHASE_P(next: u32, layer: u32, row: u32) -> u32 {
  return ((next - 1u) * params.batch + row) * 4u;
}

fn vector_PHASE_P(base: u32, layer: u32, row: u32, k: u32, lane: u32) -> vec4f {
  return vec4f(states[base + k], states[base + k + 1u], states[base + k + 2u], states[base + k + 3u]);
}

fn is_live_PHASE_P(next: u32, layer: u32, row: u32) -> bool {     // whether the vector exists and its row is not masked
  return true;
}

fn means_of_PHASE(next: u32, layer: u32, row: u32) -> array<f32, MEANS_PHASE> {
  return array<f32, MEANS_PHASE>(0.0);
}

fn update_PHASE(next: u32, layer: u32, row: u32, unit: u32, product: array<f32, PRODUCTS_PHASE>, mean: array<f32, MEANS_PHASE>) {
  let order = next - 1u;
  let here = (order * params.batch + row) * 4u + unit;
  let v0 = reserve[here] + product[0];
  states[(next * params.batch + row) * 4u + unit] = stable_tanh(v0);
  reserve[here] = v0;
}

fn finish_PHASE(next: u32, layer: u32, row: u32, unit: u32, product: array<f32, PRODUCTS_PHASE>) {
}
// @end

// @unroll PHASE PHASES
const COPIES_PHASE = 1u;          // of the loop over k: as many as it has iterations if weights are in registers, else 1

/// The index of a quad of packed weights.
fn quad_at_PHASE(start: u32, quad: u32, matrix: u32, unit: u32) -> u32 {
  return start + (quad * MATRICES_PHASE + matrix) * WIDTH_PHASE + unit;
}

/// The products of UNITS units and ROWS rows, over every SPLITS-th quad of k. Units and rows past the end read the last one and
/// are not written. `lane` is the number of the invocation among those that load vectors together.
fn products_PHASE(next: u32, layer: u32, row: u32, unit: u32, split: u32, lane: u32) -> array<array<f32, PRODUCTS_PHASE>, ROWS * UNITS> {
  // @unroll R ROWS
  let row_R = min(row + R, params.batch - 1u);
  // @unroll U UNITS
  var sum_R_U: array<f32, PRODUCTS_PHASE>;
  // @end
  // @end
  // @unroll U UNITS
  let unit_U = min(unit + U, WIDTH_PHASE - 1u);
  // @end
  // @unroll P VECTORS_PHASE
  // If all rows are masked there is nothing to multiply.
  var live_P = false;
  // @unroll R ROWS
  live_P = live_P || is_live_PHASE_P(next, layer, row_R);
  // @end
  if (live_P) {
    let start = weight_start_PHASE_P(layer);
    // @unroll R ROWS
    let base_R = base_of_PHASE_P(next, layer, row_R);
    // @end
    // @unroll Q COPIES_PHASE
    for (var quad = split + Q * SPLITS; quad < (depth_PHASE_P() + 3u) / 4u; quad += COPIES_PHASE * SPLITS) {
      // @unroll R ROWS
      let x_R = vector_PHASE_P(base_R, layer, row_R, quad * 4u, lane);
      // @end
      // @unroll U UNITS
      // @unroll G MATRICES_PHASE
      let weight_U_G = weight_at_PHASE(
        quad_at_PHASE(start, quad, G, unit_U), (P * COPIES_PHASE + Q) * MATRICES_PHASE + G);
      // @unroll R ROWS
      sum_R_U[PRODUCT_OF_PHASE[P * MATRICES_PHASE + G]] += dot(weight_U_G, x_R);
      // @end
      // @end
      // @end
    }
    // @end
  }
  // @end
  // The sums leave the registers here, so that the update is compiled once and not for each of them.
  var product: array<array<f32, PRODUCTS_PHASE>, ROWS * UNITS>;
  // @unroll R ROWS
  // @unroll U UNITS
  product[R * UNITS + U] = sum_R_U;
  // @end
  // @end
  return product;
}

/// Whether the phase has work at a step; at step 0, only if it finishes the backward loop.
fn has_PHASE(next: u32) -> bool {
  return next <= params.steps && (next > 0u || FINISHES_PHASE);
}

/// The update of one unit; after the backward loop, what completes the gradients of the initial states.
fn apply_PHASE(next: u32, layer: u32, row: u32, unit: u32, product: array<f32, PRODUCTS_PHASE>, mean: array<f32, MEANS_PHASE>) {
  if (FINISHES_PHASE && next == 0u) {
    finish_PHASE(next, layer, row, unit, product);
  } else {
    update_PHASE(next, layer, row, unit, product, mean);
  }
}
// @end
