// Measures bandwidth for a buffer of a given size: all invocations together read it `rounds` times in vec4s. A workgroup reads
// 2048 contiguous vec4s at a time, eight in each invocation.

struct Params {
  rounds: u32,     // rounds * size is below 2^31
  size: u32,       // of the buffer in vec4s: a power of two, at least 2048
}

const I = 0u;                      // the index of an unrolled block

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> data: array<vec4f>;       // (size)
@group(0) @binding(2) var<storage, read_write> out: array<f32>;    // (workgroups, 256)

@compute @workgroup_size(256)
fn calibrate_read(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let end = params.rounds * params.size;
  var sum = vec4f();
  var start = group.x * 2048u + local;
  for (var k = start; k < end; k += groups.x * 2048u) {
    // @unroll I 8
    sum += data[(start + I * 256u) & (params.size - 1u)];
    // @end
    // An odd stride: with an even one, a workgroup would reread its own part of a small buffer, from the cache of its core.
    start += (groups.x | 1u) * 2048u;
  }
  out[group.x * 256u + local] = dot(sum, vec4f(1.0));
}
