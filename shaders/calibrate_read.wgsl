// Reads a buffer again and again, in vec4s, which tells what bytes an adapter can move from a buffer of that size. All
// invocations together read `rounds` times as many vec4s as there are: a workgroup 2048 in a row at a time, eight each.

struct Params {
  rounds: u32,     // rounds * size is below 2^31
  size: u32,       // of the buffer in vec4s: a power of two, 2048 or more
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
  let end = params.rounds * params.size;
  var sum = vec4f();
  var start = group.x * 2048u + local;
  for (var k = start; k < end; k += groups.x * 2048u) {
    // @unroll I 8
    sum += data[(start + I * 256u) & (params.size - 1u)];
    // @end
    // Odd, or in a small buffer each workgroup would come back to what it read, which its core may hold.
    start += (groups.x | 1u) * 2048u;
  }
  out[group.x * 256u + local] = dot(sum, vec4f(1.0));
}
