// Generated from pack_weight.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_linear_id } from './lib/linear_id.ts';
import { lib_half } from './lib/half.ts';
import { lib_int8 } from './lib/int8.ts';

export const pack_weight: Kernel<
  'weight' | 'packed' | 'halves' | 'bytes' | 'largest',
  { readonly source_offset: number; readonly target_offset: number; readonly scale_offset: number; readonly blocks: number; readonly depth: number; readonly units: number; readonly source_strides: readonly [number, number, number]; readonly target_strides: readonly [number, number, number] },
  'WORKGROUP',
  'store',
  never
> = {
  name: 'pack_weight',
  bindings: {
    weight: { binding: 1, access: 'read' },
    packed: { binding: 2, access: 'read_write' },
    halves: { binding: 3, access: 'read_write' },
    bytes: { binding: 4, access: 'read_write' },
    largest: { binding: 5, access: 'read' },
  },
  uniforms: { binding: 0, size: 64, layout: {"kind":"struct","members":{"source_offset":{"offset":0,"layout":{"kind":"u32","width":1}},"target_offset":{"offset":4,"layout":{"kind":"u32","width":1}},"scale_offset":{"offset":8,"layout":{"kind":"u32","width":1}},"blocks":{"offset":12,"layout":{"kind":"u32","width":1}},"depth":{"offset":16,"layout":{"kind":"u32","width":1}},"units":{"offset":20,"layout":{"kind":"u32","width":1}},"source_strides":{"offset":32,"layout":{"kind":"u32","width":3}},"target_strides":{"offset":48,"layout":{"kind":"u32","width":3}}}} },
  constants: ['WORKGROUP'],
  splices: ['store'],
  unrolls: [],
  code: lib_linear_id + lib_half + lib_int8 + "struct Params {\nsource_offset: u32,\ntarget_offset: u32,\nscale_offset: u32,\nblocks: u32,\ndepth: u32,\nunits: u32,\nsource_strides: vec3u,\ntarget_strides: vec3u,\n}\noverride WORKGROUP: u32 = 64;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> weight: array<f32>;\n@group(0) @binding(2) var<storage, read_write> packed: array<vec4f>;\n@group(0) @binding(3) var<storage, read_write> halves: array<vec2u>;\n@group(0) @binding(4) var<storage, read_write> bytes: array<u32>;\n@group(0) @binding(5) var<storage, read> largest: array<f32>;\n// @splice store\nfn store(quad: u32, four: vec4f, column: u32) {\npacked[quad] = four;\n}\n// @end\n@compute @workgroup_size(WORKGROUP)\nfn pack_weight(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nlet quads = (params.depth + 3u) / 4u;\nif (i >= params.blocks * quads * params.units) {\nreturn;\n}\nlet unit = i % params.units;\nlet quad = (i / params.units) % quads;\nlet index = (i / params.units) / quads;\nlet base = params.source_offset + index * params.source_strides.x + unit * params.source_strides.z;\nvar four = vec4f();\nfor (var n = 0u; n < 4u; n++) {\nlet row = quad * 4u + n;\nif (row < params.depth) {\nfour[n] = weight[base + row * params.source_strides.y];\n}\n}\nlet at = params.target_offset + index * params.target_strides.x + quad * params.target_strides.y\n+ unit * params.target_strides.z;\nstore(at, four, params.scale_offset + index * params.units + unit);\n}\n",
};
