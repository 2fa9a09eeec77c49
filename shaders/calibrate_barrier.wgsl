// Passes words from invocation to invocation of one workgroup, a barrier for each: 8 a round.

struct Params {
  rounds: u32,
}

const I = 0u;                      // stands in for an unrolled count

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;    // (256)

// Two halves that take turns: nobody can write a word of one before all have read it, since a barrier of the other
// lies between. So one barrier a word is enough, and none can be left out.
var<workgroup> words: array<f32, 512>;

@compute @workgroup_size(256)
fn calibrate_barrier(@builtin(local_invocation_index) local: u32) {
  var word = f32(local);
  for (var round = 0u; round < params.rounds; round++) {
    // @unroll I 8
    words[(I & 1u) * 256u + local] = word;
    workgroupBarrier();
    word = words[(I & 1u) * 256u + ((local + 1u) & 255u)];
    // @end
  }
  out[local] = word;
}
