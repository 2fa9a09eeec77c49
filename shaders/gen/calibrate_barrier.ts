// Generated from calibrate_barrier.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const calibrate_barrier: Kernel<
  'out',
  { readonly rounds: number },
  never,
  never,
  never
> = {
  name: 'calibrate_barrier',
  bindings: {
    out: { binding: 1, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"rounds":{"offset":0,"layout":{"kind":"u32","width":1}}}} },
  constants: [],
  splices: [],
  unrolls: [],
  code: "// Measures barriers: each invocation of one workgroup passes a word to its neighbour through workgroup memory, with one barrier\n// for each word, 8 times a round.\n\nstruct Params {\n  rounds: u32,\n}\n\nconst I = 0u;                      // the index of an unrolled block\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read_write> out: array<f32>;    // (256)\n\n// Double buffering: the barrier of one half separates the reads of the other half from its next writes. So one barrier a word\n// suffices, and a compiler can remove none.\nvar<workgroup> words: array<f32, 512>;\n\n@compute @workgroup_size(256)\nfn calibrate_barrier(@builtin(local_invocation_index) local: u32) {\n  var word = f32(local);\n  for (var round = 0u; round < params.rounds; round++) {\n    // @unroll I 8\n    words[(I & 1u) * 256u + local] = word;\n    workgroupBarrier();\n    word = words[(I & 1u) * 256u + ((local + 1u) & 255u)];\n    // @end\n  }\n  out[local] = word;\n}\n",
};
