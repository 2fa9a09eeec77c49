// Generated from matmul_subgroup.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_matmul } from './lib/matmul.ts';
import { lib_matmul_block } from './lib/matmul_block.ts';

export const matmul_subgroup: Kernel<
  'a' | 'b' | 'in2' | 'in3' | 'in4' | 'in5' | 'in6' | 'out' | 'a4' | 'b4' | 'b_halves' | 'b_bytes',
  { readonly m: number; readonly n: number; readonly k: number; readonly depth: number; readonly a_strides: readonly [number, number]; readonly b_strides: readonly [number, number]; readonly a_offset: number; readonly b_offset: number; readonly operands: readonly ({ readonly strides: readonly [number, number, number, number]; readonly offset: number })[] },
  never,
  'b_quad' | 'epilogue' | 'index' | 'load',
  'ROW_BLOCKS' | 'COLUMN_BLOCKS' | 'BLOCK_ROWS'
> = {
  name: 'matmul_subgroup',
  bindings: {
    a: { binding: 1, access: 'read' },
    b: { binding: 2, access: 'read' },
    in2: { binding: 3, access: 'read' },
    in3: { binding: 4, access: 'read' },
    in4: { binding: 5, access: 'read' },
    in5: { binding: 6, access: 'read' },
    in6: { binding: 7, access: 'read' },
    out: { binding: 8, access: 'read_write' },
    a4: { binding: 9, access: 'read' },
    b4: { binding: 10, access: 'read' },
    b_halves: { binding: 11, access: 'read' },
    b_bytes: { binding: 12, access: 'read' },
  },
  uniforms: { binding: 0, size: 240, layout: {"kind":"struct","members":{"m":{"offset":0,"layout":{"kind":"u32","width":1}},"n":{"offset":4,"layout":{"kind":"u32","width":1}},"k":{"offset":8,"layout":{"kind":"u32","width":1}},"depth":{"offset":12,"layout":{"kind":"u32","width":1}},"a_strides":{"offset":16,"layout":{"kind":"u32","width":2}},"b_strides":{"offset":24,"layout":{"kind":"u32","width":2}},"a_offset":{"offset":32,"layout":{"kind":"u32","width":1}},"b_offset":{"offset":36,"layout":{"kind":"u32","width":1}},"operands":{"offset":48,"layout":{"kind":"array","count":6,"stride":32,"of":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}}}}} },
  constants: [],
  splices: ['b_quad', 'epilogue', 'index', 'load'],
  unrolls: ['ROW_BLOCKS', 'COLUMN_BLOCKS', 'BLOCK_ROWS'],
  code: "enable subgroups;\n" + lib_matmul + "// @splice load\nfn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {\nreturn all_of(a_row_strided(m + lane, k));\n}\nfn load_b(k: u32, n: u32) -> mat4x4f {\nreturn b_strided(k, n);\n}\n// @end\nfn all_of(own: vec4f) -> mat4x4f {\nreturn mat4x4f(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));\n}\nfn row_of(own: f32) -> mat4x4f {\nlet row = vec4f(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));\nreturn mat4x4f(row, vec4f(), vec4f(), vec4f());\n}\n" + lib_matmul_block + "@compute @workgroup_size(4)\nfn matmul_subgroup(\n@builtin(workgroup_id) group: vec3u,\n@builtin(num_workgroups) groups: vec3u,\n@builtin(subgroup_invocation_id) lane: u32,\n) {\nlet across = (params.n + 16u * COLUMN_BLOCKS - 1u) / (16u * COLUMN_BLOCKS);\nlet tile = linear_id(group, groups, 1u);\nlet m = (tile / across) * 4u * ROW_BLOCKS;\nif (m < params.m) {\nmultiply_block(m, ((tile % across) * 4u + lane) * 4u * COLUMN_BLOCKS, group.z, lane);\n}\n}\n",
};
