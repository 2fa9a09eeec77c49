// What both passes of a linear scan share: where its steps lie, and what each does to the state.
// A column is one unit of one row; neighbouring invocations own neighbouring units. The steps are cut into chunks.

struct Params {
  steps: u32,                     // T
  units: u32,                     // H
  columns: u32,                   // B * H
  chunk: u32,                     // steps of a chunk; the last may have fewer
  chunks: u32,
  operands: array<Operand, 16>,   // in the order in which the spliced text reads them; axes: 0, step, row, unit
}

override WORKGROUP: u32 = 64;
override REVERSE: bool = false;   // from the last step to the first
const AHEAD = 1u;                 // these stand in for unrolled counts
const I = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read> in1: array<f32>;
@group(0) @binding(3) var<storage, read> in2: array<f32>;
@group(0) @binding(4) var<storage, read> in3: array<f32>;
@group(0) @binding(5) var<storage, read> in4: array<f32>;

// @splice coefficients
/// A step turns the state into x * state + y.
fn coefficients(at: vec4u) -> vec2f {
  return vec2f(in0[element_index(params.operands[0], at)], in1[element_index(params.operands[1], at)]);
}
// @end

/// The element of a column that the scan meets as its `position`-th.
fn place(position: u32, column: u32) -> vec4u {
  let step = select(position, params.steps - 1u - position, REVERSE);
  return vec4u(0u, step, column / params.units, column % params.units);
}
