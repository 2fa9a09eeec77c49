// Generated from calibrate_read.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const calibrate_read: Kernel<
  'data' | 'out',
  { readonly rounds: number; readonly size: number },
  never,
  never,
  never
> = {
  name: 'calibrate_read',
  bindings: {
    data: { binding: 1, access: 'read' },
    out: { binding: 2, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"rounds":{"offset":0,"layout":{"kind":"u32","width":1}},"size":{"offset":4,"layout":{"kind":"u32","width":1}}}} },
  constants: [],
  splices: [],
  unrolls: [],
  code: "struct Params {\nrounds: u32,\nsize: u32,\n}\nconst I = 0u;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> data: array<vec4f>;\n@group(0) @binding(2) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(256)\nfn calibrate_read(\n@builtin(workgroup_id) group: vec3u,\n@builtin(num_workgroups) groups: vec3u,\n@builtin(local_invocation_index) local: u32,\n) {\nlet end = params.rounds * params.size;\nvar sum = vec4f();\nvar start = group.x * 2048u + local;\nfor (var k = start; k < end; k += groups.x * 2048u) {\n// @unroll I 8\nsum += data[(start + I * 256u) & (params.size - 1u)];\n// @end\nstart += (groups.x | 1u) * 2048u;\n}\nout[group.x * 256u + local] = dot(sum, vec4f(1.0));\n}\n",
};
