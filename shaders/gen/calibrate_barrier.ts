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
  code: "struct Params {\nrounds: u32,\n}\nconst I = 0u;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read_write> out: array<f32>;\nvar<workgroup> words: array<f32, 512>;\n@compute @workgroup_size(256)\nfn calibrate_barrier(@builtin(local_invocation_index) local: u32) {\nvar word = f32(local);\nfor (var round = 0u; round < params.rounds; round++) {\n// @unroll I 8\nwords[(I & 1u) * 256u + local] = word;\nworkgroupBarrier();\nword = words[(I & 1u) * 256u + ((local + 1u) & 255u)];\n// @end\n}\nout[local] = word;\n}\n",
};
