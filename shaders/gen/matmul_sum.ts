// Generated from matmul_sum.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_matmul } from './lib/matmul.ts';

export const matmul_sum: Kernel<
  'a' | 'b' | 'in2' | 'in3' | 'in4' | 'in5' | 'in6' | 'out' | 'a4' | 'b4' | 'b_halves' | 'b_bytes',
  { readonly m: number; readonly n: number; readonly k: number; readonly depth: number; readonly a_strides: readonly [number, number]; readonly b_strides: readonly [number, number]; readonly a_offset: number; readonly b_offset: number; readonly operands: readonly ({ readonly strides: readonly [number, number, number, number]; readonly offset: number })[] },
  'WORKGROUP',
  'b_quad' | 'epilogue' | 'index',
  never
> = {
  name: 'matmul_sum',
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
  constants: ['WORKGROUP'],
  splices: ['b_quad', 'epilogue', 'index'],
  unrolls: [],
  code: lib_matmul + "override WORKGROUP: u32 = 64;\n@compute @workgroup_size(WORKGROUP)\nfn matmul_sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nlet results = params.m * params.n;\nif (i >= results) {\nreturn;\n}\nvar sum = 0.0;\nfor (var split = 0u; split * params.depth < params.k; split++) {\nsum += a[split * results + i];\n}\nlet at = vec4u(0u, 0u, i / params.n, i % params.n);\nout[result_index(at)] = epilogue(sum, at);\n}\n",
};
