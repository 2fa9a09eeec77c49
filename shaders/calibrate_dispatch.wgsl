// Measures dispatches: adds a number to 64 elements in place, so that each dispatch waits for the previous one.

struct Params {
  summand: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;    // (64)

@compute @workgroup_size(64)
fn calibrate_dispatch(@builtin(local_invocation_index) local: u32) {
  out[local] += params.summand;
}
