// Generated from sequence_mask.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_linear_id } from './lib/linear_id.ts';

export const sequence_mask: Kernel<
  'lengths' | 'out',
  { readonly batch: number; readonly size: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'sequence_mask',
  bindings: {
    lengths: { binding: 1, access: 'read' },
    out: { binding: 2, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"batch":{"offset":0,"layout":{"kind":"u32","width":1}},"size":{"offset":4,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_linear_id + "struct Params {\nbatch: u32,\nsize: u32,\n}\noverride WORKGROUP: u32 = 64;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> lengths: array<i32>;\n@group(0) @binding(2) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(WORKGROUP)\nfn sequence_mask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= params.size) {\nreturn;\n}\nout[i] = select(0.0, 1.0, i32(i / params.batch) < lengths[i % params.batch]);\n}\n",
};
