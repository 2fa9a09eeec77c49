// Generated from gather.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_linear_id } from './lib/linear_id.ts';

export const gather: Kernel<
  'table' | 'index' | 'out',
  { readonly rows: number; readonly width: number; readonly size: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'gather',
  bindings: {
    table: { binding: 1, access: 'read' },
    index: { binding: 2, access: 'read' },
    out: { binding: 3, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"rows":{"offset":0,"layout":{"kind":"u32","width":1}},"width":{"offset":4,"layout":{"kind":"u32","width":1}},"size":{"offset":8,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_linear_id + "struct Params {\nrows: u32,\nwidth: u32,\nsize: u32,\n}\noverride WORKGROUP: u32 = 64;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> table: array<f32>;\n@group(0) @binding(2) var<storage, read> index: array<i32>;\n@group(0) @binding(3) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(WORKGROUP)\nfn gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= params.size) {\nreturn;\n}\nlet row = u32(clamp(index[i / params.width], 0, i32(params.rows) - 1));\nout[i] = table[row * params.width + i % params.width];\n}\n",
};
