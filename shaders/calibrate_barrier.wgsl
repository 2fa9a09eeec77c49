// Measures barriers: each invocation of one workgroup passes a word to its neighbour through workgroup memory, with one barrier
// for each word, 8 times a round.

struct Params {
  rounds: u32,
}

const I = 0u;                      // the index of an unrolled block

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;    // (256)

// Double buffering: the barrier of one half separates the reads of the other half from its next writes. So one barrier a word
// suffices, and a compiler can remove none.
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
