// Measures arithmetic: multiply-adds in registers and nothing else. Each invocation updates two vec4s, which are eight
// independent dependency chains, by 8192 multiply-adds a round.

struct Params {
  rounds: u32,
  factor: f32,     // below 1, so that the values converge to a normal number
  summand: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;    // (workgroups, 256)

@compute @workgroup_size(256)
fn calibrate_fma(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let factor = vec4f(params.factor);
  let summand = vec4f(params.summand);
  var a = vec4f(f32(local));
  var b = vec4f(f32(local + 1u));
  for (var round = 0u; round < params.rounds; round++) {
    for (var i = 0u; i < 64u; i++) {
      // @unroll I 16
      a = a * factor + summand;
      b = b * factor + summand;
      // @end
    }
  }
  out[group.x * 256u + local] = dot(a + b, vec4f(1.0));
}
