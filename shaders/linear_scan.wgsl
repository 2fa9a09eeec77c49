// A linear recurrence over time: state = x * state + y at each step, x and y any expressions over the inputs.
// One invocation owns one column of one chunk. It begins with what the chunks before its own do to the initial state
// (linear_scan_aggregate; composing them is associative: Blelloch, "Prefix sums and their applications", 1990).

// @include lib/nonlinear.wgsl
// @include lib/operand.wgsl
// @include lib/linear_id.wgsl
// @include lib/linear_scan.wgsl

@group(0) @binding(6) var<storage, read> aggregates: array<f32>;   // (2, chunks - 1, columns): all x, then all y
@group(0) @binding(7) var<storage, read_write> out0: array<f32>;
@group(0) @binding(8) var<storage, read_write> out1: array<f32>;

// @splice initial
fn initial_state(at: vec4u) -> f32 {
  return 0.0;
}
// @end

// @splice skip
/// The state after the chunks before `chunk`.
fn skip(state: f32, chunk: u32, column: u32) -> f32 {
  var reached = state;
  for (var before = 0u; before < chunk; before++) {
    let x = aggregates[before * params.columns + column];
    reached = x * reached + aggregates[(params.chunks - 1u + before) * params.columns + column];
  }
  return reached;
}
// @end

// @splice finish
/// Stores what comes of a step: the state before and after it, and whether it is the last.
fn finish(at: vec4u, before: f32, after: f32, last: bool) {
  out0[element_index(params.operands[2], at)] = after;
}
// @end

@compute @workgroup_size(WORKGROUP)
fn linear_scan(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let column = linear_id(group, groups, local, WORKGROUP);
  if (column >= params.columns) {
    return;
  }
  let first = group.z * params.chunk;
  let end = min(first + params.chunk, params.steps);
  var state = skip(initial_state(place(0u, column)), group.z, column);
  for (var position = first; position < end; position += AHEAD) {
    // Several steps are loaded before the first is needed.
    // @unroll I AHEAD
    let at_I = place(min(position + I, end - 1u), column);
    let step_I = coefficients(at_I);
    // @end
    // @unroll I AHEAD
    if (position + I < end) {
      let next_I = step_I.x * state + step_I.y;
      finish(at_I, state, next_I, position + I + 1u == params.steps);
      state = next_I;
    }
    // @end
  }
}
