// The aggregate of each chunk of a linear scan but the last: the coefficients (a, b) of all its steps composed, so that the chunk
// maps state to a * state + b. One invocation owns one column of one chunk.

// @include lib/nonlinear.wgsl
// @include lib/operand.wgsl
// @include lib/linear_id.wgsl
// @include lib/linear_scan.wgsl

@group(0) @binding(6) var<storage, read_write> aggregates: array<f32>;   // (2, chunks - 1, columns): all a, then all b

@compute @workgroup_size(WORKGROUP)
fn linear_scan_aggregate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = linear_id(id, groups, WORKGROUP);
  if (column >= params.columns) {
    return;
  }
  let first = id.z * params.chunk;
  let end = first + params.chunk;
  var whole = vec2f(1.0, 0.0);
  for (var position = first; position < end; position += UNROLL) {
    // The loads of several steps come first, so that their latencies overlap.
    // @unroll I UNROLL
    let step_I = coefficients(element_of(min(position + I, end - 1u), column));
    // @end
    // @unroll I UNROLL
    if (position + I < end) {
      whole = vec2f(step_I.x * whole.x, step_I.x * whole.y + step_I.y);
    }
    // @end
  }
  aggregates[id.z * params.columns + column] = whole.x;
  aggregates[(params.chunks - 1u + id.z) * params.columns + column] = whole.y;
}
