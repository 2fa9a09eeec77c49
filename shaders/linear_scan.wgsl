// Linear scan over time: state = a * state + b at each step, where a and b are expressions over the inputs.
// One invocation owns one column of one chunk of steps. It first applies the aggregates of all earlier chunks, which
// linear_scan_aggregate computes, to the initial state (Blelloch, "Prefix sums and their applications", 1990).

// @include lib/nonlinear.wgsl
// @include lib/operand.wgsl
// @include lib/linear_id.wgsl
// @include lib/linear_scan.wgsl

@group(0) @binding(6) var<storage, read> aggregates: array<f32>;   // (2, chunks - 1, columns): all a, then all b
@group(0) @binding(7) var<storage, read_write> out0: array<f32>;
@group(0) @binding(8) var<storage, read_write> out1: array<f32>;

// @splice initial
fn initial_state(at: vec4u) -> f32 {
  return 0.0;
}
// @end

// @splice advance
/// The state after all chunks before `chunk`.
fn advance(initial: f32, chunk: u32, column: u32) -> f32 {
  var state = initial;
  for (var before = 0u; before < chunk; before++) {
    let a = aggregates[before * params.columns + column];
    state = a * state + aggregates[(params.chunks - 1u + before) * params.columns + column];
  }
  return state;
}
// @end

// @splice store
/// Stores the results of a step, given the state before and after it. @param last Whether it is the last step of the scan.
fn store(at: vec4u, before: f32, after: f32, last: bool) {
  out0[element_index(params.operands[2], at)] = after;
}
// @end

@compute @workgroup_size(WORKGROUP)
fn linear_scan(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = linear_id(id, groups, WORKGROUP);
  if (column >= params.columns) {
    return;
  }
  let first = id.z * params.chunk;
  let end = min(first + params.chunk, params.steps);
  var state = advance(initial_state(element_of(0u, column)), id.z, column);
  for (var position = first; position < end; position += UNROLL) {
    // The loads of several steps come first, so that their latencies overlap.
    // @unroll I UNROLL
    let at_I = element_of(min(position + I, end - 1u), column);
    let step_I = coefficients(at_I);
    // @end
    // @unroll I UNROLL
    if (position + I < end) {
      let next_I = step_I.x * state + step_I.y;
      store(at_I, state, next_I, position + I + 1u == params.steps);
      state = next_I;
    }
    // @end
  }
}
