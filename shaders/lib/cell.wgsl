// @splice cell
// Generated from a cell's declaration; these lines are an Elman cell, so that the file compiles as it stands.
// A gate that keeps its input part and its recurrent part apart has a second slot for the latter.
const GATES = 1u;
const SLOTS = 1u;
const STATES = 1u;
const RECURRENT_SLOT = array<u32, GATES>(0u);

fn cell(gate: array<f32, SLOTS>, state: array<f32, STATES>) -> array<f32, STATES> {
  return array<f32, STATES>(stable_tanh(gate[0]));
}

struct CellGradient {
  gate: array<f32, SLOTS>,
  state: array<f32, STATES>,
}

fn cell_backward(gate: array<f32, SLOTS>, state: array<f32, STATES>, d: array<f32, STATES>) -> CellGradient {
  let h = stable_tanh(gate[0]);
  return CellGradient(array<f32, SLOTS>(d[0] * (1.0 - h * h)), array<f32, STATES>(0.0));
}
// @end
