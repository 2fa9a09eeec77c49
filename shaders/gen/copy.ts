// Generated from copy.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_operand } from './lib/operand.ts';
import { lib_linear_id } from './lib/linear_id.ts';

export const copy: Kernel<
  'source' | 'out',
  { readonly dims: readonly [number, number, number, number]; readonly size: number; readonly source: { readonly strides: readonly [number, number, number, number]; readonly offset: number }; readonly out: { readonly strides: readonly [number, number, number, number]; readonly offset: number } },
  'WORKGROUP',
  never,
  never
> = {
  name: 'copy',
  bindings: {
    source: { binding: 1, access: 'read' },
    out: { binding: 2, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 96, layout: {"kind":"struct","members":{"dims":{"offset":0,"layout":{"kind":"u32","width":4}},"size":{"offset":16,"layout":{"kind":"u32","width":1}},"source":{"offset":32,"layout":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}},"out":{"offset":64,"layout":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_operand + lib_linear_id + "struct Params {\ndims: vec4u,\nsize: u32,\nsource: Operand,\nout: Operand,\n}\noverride WORKGROUP: u32 = 64;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> source: array<i32>;\n@group(0) @binding(2) var<storage, read_write> out: array<i32>;\n@compute @workgroup_size(WORKGROUP)\nfn copy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= params.size) {\nreturn;\n}\nlet plane = i / params.dims.w;\nlet cube = plane / params.dims.z;\nlet at = vec4u(cube / params.dims.y, cube % params.dims.y, plane % params.dims.z, i % params.dims.w);\nout[element_index(params.out, at)] = source[element_index(params.source, at)];\n}\n",
};
