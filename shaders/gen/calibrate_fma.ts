// Generated from calibrate_fma.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const calibrate_fma: Kernel<
  'out',
  { readonly rounds: number; readonly factor: number; readonly summand: number },
  never,
  never,
  never
> = {
  name: 'calibrate_fma',
  bindings: {
    out: { binding: 1, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"rounds":{"offset":0,"layout":{"kind":"u32","width":1}},"factor":{"offset":4,"layout":{"kind":"f32","width":1}},"summand":{"offset":8,"layout":{"kind":"f32","width":1}}}} },
  constants: [],
  splices: [],
  unrolls: [],
  code: "struct Params {\nrounds: u32,\nfactor: f32,\nsummand: f32,\n}\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(256)\nfn calibrate_fma(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {\nlet factor = vec4f(params.factor);\nlet summand = vec4f(params.summand);\nvar a = vec4f(f32(local));\nvar b = vec4f(f32(local + 1u));\nfor (var round = 0u; round < params.rounds; round++) {\nfor (var i = 0u; i < 64u; i++) {\n// @unroll I 16\na = a * factor + summand;\nb = b * factor + summand;\n// @end\n}\n}\nout[group.x * 256u + local] = dot(a + b, vec4f(1.0));\n}\n",
};
