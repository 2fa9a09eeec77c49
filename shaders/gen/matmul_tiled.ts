// Generated from matmul_tiled.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_matmul } from './lib/matmul.ts';

export const matmul_tiled: Kernel<
  'a' | 'b' | 'in2' | 'in3' | 'in4' | 'in5' | 'in6' | 'out' | 'a4' | 'b4' | 'b_halves' | 'b_bytes',
  { readonly m: number; readonly n: number; readonly k: number; readonly depth: number; readonly a_strides: readonly [number, number]; readonly b_strides: readonly [number, number]; readonly a_offset: number; readonly b_offset: number; readonly operands: readonly ({ readonly strides: readonly [number, number, number, number]; readonly offset: number })[] },
  'GRID_ROWS' | 'GRID_COLUMNS' | 'WORKGROUP' | 'A_QUADS' | 'B_QUADS' | 'A_ALONG_K' | 'B_ALONG_K',
  'b_quad' | 'epilogue' | 'index' | 'load',
  'ROW_BLOCKS' | 'COLUMN_BLOCKS' | 'LOADS'
> = {
  name: 'matmul_tiled',
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
  constants: ['GRID_ROWS', 'GRID_COLUMNS', 'WORKGROUP', 'A_QUADS', 'B_QUADS', 'A_ALONG_K', 'B_ALONG_K'],
  splices: ['b_quad', 'epilogue', 'index', 'load'],
  unrolls: ['ROW_BLOCKS', 'COLUMN_BLOCKS', 'LOADS'],
  code: lib_matmul + "override GRID_ROWS: u32 = 8;\noverride GRID_COLUMNS: u32 = 8;\noverride WORKGROUP: u32 = 64;\noverride A_QUADS: u32 = 8;\noverride B_QUADS: u32 = 8;\noverride A_ALONG_K: bool = true;\noverride B_ALONG_K: bool = true;\nconst TILE_K = 16u;\nconst ROW_BLOCKS = 1u;\nconst COLUMN_BLOCKS = 1u;\nconst LOADS = 1u;\nconst R = 0u;\nconst C = 0u;\nconst X = 0u;\nvar<workgroup> a_tile: array<vec4f, TILE_K * A_QUADS>;\nvar<workgroup> b_tile: array<vec4f, TILE_K * B_QUADS>;\n// @splice load\nfn load_a(m: u32, k: u32) -> mat4x4f {\nreturn a_strided(m, k);\n}\nfn load_b(k: u32, n: u32) -> mat4x4f {\nreturn b_strided(k, n);\n}\n// @end\nfn quads_of(i: u32, quads: u32, along_k: bool) -> vec2u {\nreturn select(vec2u(i % quads, i / quads), vec2u(i / 4u, i % 4u), along_k);\n}\nfn stage(i: u32, m: u32, n: u32, k: u32, end: u32) {\nif (i < 4u * A_QUADS) {\nlet which = quads_of(i, A_QUADS, A_ALONG_K);\nlet quad = k + 4u * which.y;\nvar rows = mat4x4f();\nif (quad < end) {\nrows = transpose(load_a(m + 4u * which.x, quad));\n}\nlet at = 4u * which.y * A_QUADS + which.x;\na_tile[at] = rows[0];\na_tile[at + A_QUADS] = rows[1];\na_tile[at + 2u * A_QUADS] = rows[2];\na_tile[at + 3u * A_QUADS] = rows[3];\n} else if (i < 4u * (A_QUADS + B_QUADS)) {\nlet which = quads_of(i - 4u * A_QUADS, B_QUADS, B_ALONG_K);\nlet quad = k + 4u * which.y;\nvar rows = mat4x4f();\nif (quad < end) {\nrows = transpose(load_b(quad, n + 4u * which.x));\n}\nlet at = 4u * which.y * B_QUADS + which.x;\nb_tile[at] = rows[0];\nb_tile[at + B_QUADS] = rows[1];\nb_tile[at + 2u * B_QUADS] = rows[2];\nb_tile[at + 3u * B_QUADS] = rows[3];\n}\n}\n@compute @workgroup_size(WORKGROUP)\nfn matmul_tiled(\n@builtin(workgroup_id) group: vec3u,\n@builtin(num_workgroups) groups: vec3u,\n@builtin(local_invocation_index) local: u32,\n) {\nlet across = (params.n + 4u * B_QUADS - 1u) / (4u * B_QUADS);\nlet tile = linear_id(group, groups, 1u);\nlet m = (tile / across) * 4u * A_QUADS;\nlet n = (tile % across) * 4u * B_QUADS;\nlet row = local / GRID_COLUMNS;\nlet column = local % GRID_COLUMNS;\n// @unroll R ROW_BLOCKS\n// @unroll C COLUMN_BLOCKS\n// @unroll I 4\nvar sum_R_C_I = vec4f();\n// @end\n// @end\n// @end\nlet start = group.z * params.depth;\nlet end = min(start + params.depth, params.k);\nfor (var step = 0u; step < (end - start + TILE_K - 1u) / TILE_K; step++) {\nlet k = start + step * TILE_K;\n// @unroll X LOADS\nstage(local + X * WORKGROUP, m, n, k, end);\n// @end\nworkgroupBarrier();\nfor (var i = 0u; i < TILE_K; i++) {\n// @unroll C COLUMN_BLOCKS\nlet b_C = b_tile[i * B_QUADS + C * GRID_COLUMNS + column];\n// @end\n// @unroll R ROW_BLOCKS\nlet a_R = a_tile[i * A_QUADS + R * GRID_ROWS + row];\n// @unroll C COLUMN_BLOCKS\n// @unroll I 4\nsum_R_C_I += a_R[I] * b_C;\n// @end\n// @end\n// @end\n}\nworkgroupBarrier();\n}\n// @unroll R ROW_BLOCKS\n// @unroll C COLUMN_BLOCKS\n// @unroll I 4\nwrite_result(sum_R_C_I, group.z, m + 4u * (R * GRID_ROWS + row) + I, n + 4u * (C * GRID_COLUMNS + column));\n// @end\n// @end\n// @end\n}\nfn write_result(product: vec4f, split: u32, m: u32, n: u32) {\nif (m < params.m && n < params.n) {\nwrite_quad(product, split, m, n);\n}\n}\n",
};
