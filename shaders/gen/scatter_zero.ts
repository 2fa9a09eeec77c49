// Generated from scatter_zero.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_linear_id } from './lib/linear_id.ts';

export const scatter_zero: Kernel<
  'out',
  { readonly quads: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'scatter_zero',
  bindings: {
    out: { binding: 1, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"quads":{"offset":0,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_linear_id + "struct Params {\nquads: u32,\n}\noverride WORKGROUP: u32 = 64;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;\n@compute @workgroup_size(WORKGROUP)\nfn scatter_zero(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nfor (var i = linear_id(id, groups, WORKGROUP); i < params.quads; i += groups.x * groups.y * WORKGROUP) {\nout[i] = vec4f();\n}\n}\n",
};
