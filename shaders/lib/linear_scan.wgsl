// The part that both kernels of a linear scan share: parameters, inputs, the coefficients of a step and the order of the steps.
// A column is one unit of one row; adjacent invocations own adjacent units. The steps are divided into chunks.

struct Params {
  steps: u32,                     // T
  units: u32,                     // H
  columns: u32,                   // B * H
  chunk: u32,                     // steps of a chunk; the last may have fewer
  chunks: u32,
  operands: array<Operand, 16>,   // in the order in which the spliced code reads them; axes: 0, step, row, unit
}

override WORKGROUP: u32 = 64;
override REVERSE: bool = false;   // from the last step to the first
const UNROLL = 1u;                // steps whose loads come first
const I = 0u;                     // the index of an unrolled block

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> in0: array<f32>;
@group(0) @binding(2) var<storage, read> in1: array<f32>;
@group(0) @binding(3) var<storage, read> in2: array<f32>;
@group(0) @binding(4) var<storage, read> in3: array<f32>;
@group(0) @binding(5) var<storage, read> in4: array<f32>;

// @splice coefficients
/// (a, b) of a step, which maps the state to a * state + b.
fn coefficients(at: vec4u) -> vec2f {
  return vec2f(in0[element_index(params.operands[0], at)], in1[element_index(params.operands[1], at)]);
}
// @end

/// The element of a column at the `position`-th step in the order of the scan.
fn element_of(position: u32, column: u32) -> vec4u {
  let step = select(position, params.steps - 1u - position, REVERSE);
  return vec4u(0u, step, column / params.units, column % params.units);
}
