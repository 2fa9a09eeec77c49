// Generated from fake_quantize.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_linear_id } from './lib/linear_id.ts';
import { lib_half } from './lib/half.ts';
import { lib_int8 } from './lib/int8.ts';

export const fake_quantize: Kernel<
  'weight' | 'out' | 'largest',
  { readonly columns: number; readonly size: number },
  'WORKGROUP',
  'rounded',
  never
> = {
  name: 'fake_quantize',
  bindings: {
    weight: { binding: 1, access: 'read' },
    out: { binding: 2, access: 'read_write' },
    largest: { binding: 3, access: 'read' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"columns":{"offset":0,"layout":{"kind":"u32","width":1}},"size":{"offset":4,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: ['rounded'],
  unrolls: [],
  code: lib_linear_id + lib_half + lib_int8 + "struct Params {\ncolumns: u32,\nsize: u32,\n}\noverride WORKGROUP: u32 = 64;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> weight: array<f32>;\n@group(0) @binding(2) var<storage, read_write> out: array<f32>;\n@group(0) @binding(3) var<storage, read> largest: array<f32>;\n// @splice rounded\nfn rounded(x: f32, row: u32) -> f32 {\nreturn unpack2x16float(half_bits(x)).x;\n}\n// @end\n@compute @workgroup_size(WORKGROUP)\nfn fake_quantize(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i < params.size) {\nout[i] = rounded(weight[i], i / params.columns);\n}\n}\n",
};
