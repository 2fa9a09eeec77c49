// Generated from matmul_skinny.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_matmul } from './lib/matmul.ts';

export const matmul_skinny: Kernel<
  'a' | 'b' | 'in2' | 'in3' | 'in4' | 'in5' | 'in6' | 'out' | 'a4' | 'b4' | 'b_halves' | 'b_bytes',
  { readonly m: number; readonly n: number; readonly k: number; readonly depth: number; readonly a_strides: readonly [number, number]; readonly b_strides: readonly [number, number]; readonly a_offset: number; readonly b_offset: number; readonly operands: readonly ({ readonly strides: readonly [number, number, number, number]; readonly offset: number })[] },
  'WORKGROUP' | 'K_SHARES' | 'ALONG_N',
  'b_quad' | 'epilogue' | 'index' | 'load',
  'ROWS' | 'TREE_LEVELS'
> = {
  name: 'matmul_skinny',
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
  constants: ['WORKGROUP', 'K_SHARES', 'ALONG_N'],
  splices: ['b_quad', 'epilogue', 'index', 'load'],
  unrolls: ['ROWS', 'TREE_LEVELS'],
  code: lib_matmul + "override WORKGROUP: u32 = 16;\noverride K_SHARES: u32 = 1;\noverride ALONG_N: bool = false;\nconst ROWS = 1u;\nconst TREE_LEVELS = 1u;\nconst R = 0u;\nconst H = 0u;\nvar<workgroup> partial: array<vec4f, ROWS * WORKGROUP>;\n// @splice load\nfn load_a(m: u32, k: u32) -> vec4f {\nreturn a_row_strided(m, k);\n}\nfn load_b(k: u32, n: u32) -> mat4x4f {\nreturn b_strided(k, n);\n}\n// @end\n@compute @workgroup_size(WORKGROUP)\nfn matmul_skinny(\n@builtin(workgroup_id) group: vec3u,\n@builtin(num_workgroups) groups: vec3u,\n@builtin(local_invocation_index) local: u32,\n) {\nlet columns = WORKGROUP / K_SHARES;\nlet share = select(local % K_SHARES, local / columns, ALONG_N);\nlet column = select(local / K_SHARES, local % columns, ALONG_N);\nlet n = 4u * (linear_id(group, groups, 1u) * columns + column);\n// @unroll R ROWS\nvar sum_R = vec4f();\n// @end\nfor (var quad = share; quad < (params.k + 3u) / 4u; quad += K_SHARES) {\nlet b_block = load_b(4u * quad, n);\n// @unroll R ROWS\nsum_R += load_a(R, 4u * quad) * b_block;\n// @end\n}\n// @unroll H TREE_LEVELS\nlet half_H = K_SHARES >> (H + 1u);\nif (share >= half_H && share < 2u * half_H) {\n// @unroll R ROWS\npartial[R * WORKGROUP + share * columns + column] = sum_R;\n// @end\n}\nworkgroupBarrier();\nif (share < half_H) {\n// @unroll R ROWS\nsum_R += partial[R * WORKGROUP + (share + half_H) * columns + column];\n// @end\n}\n// @end\nif (share == 0u && n < params.n) {\n// @unroll R ROWS\nwrite_quad(sum_R, 0u, R, n);\n// @end\n}\n}\n",
};
