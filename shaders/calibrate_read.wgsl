// Reads a buffer again and again, in vec4s, which tells what bytes an adapter can move from a buffer of that size. All
// invocations together read `rounds` times as many vec4s as there are, eight at a time each.

struct Params {
  rounds: u32,     // rounds * size is below 2^31
  size: u32,       // of the buffer in vec4s: a power of two
}

const I = 0u;                      // stands in for an unrolled count

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> data: array<vec4f>;       // (size)
@group(0) @binding(2) var<storage, read_write> out: array<f32>;    // (workgroups, 256)

@compute @workgroup_size(256)
fn calibrate_read(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let invocations = groups.x * 256u;
  let end = params.rounds * params.size;
  var sum = vec4f();
  // A workgroup further with each turn, so that each goes through the whole of a small buffer.
  var start = group.x * 256u + local;
  for (var k = start; k < end; k += 8u * invocations) {
    // @unroll I 8
    sum += data[(start + I * invocations) & (params.size - 1u)];
    // @end
    start += 8u * invocations + 256u;
  }
  out[group.x * 256u + local] = dot(sum, vec4f(1.0));
}
