// Generated from scatter_sort.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_scatter } from './lib/scatter.ts';

export const scatter_sort: Kernel<
  'index' | 'order' | 'out' | 'parts',
  { readonly rows: number; readonly width: number; readonly count: number; readonly run: number; readonly chunk: number; readonly chunks: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'scatter_sort',
  bindings: {
    index: { binding: 1, access: 'read' },
    order: { binding: 2, access: 'read_write' },
    out: { binding: 3, access: 'read_write' },
    parts: { binding: 4, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 32, layout: {"kind":"struct","members":{"rows":{"offset":0,"layout":{"kind":"u32","width":1}},"width":{"offset":4,"layout":{"kind":"u32","width":1}},"count":{"offset":8,"layout":{"kind":"u32","width":1}},"run":{"offset":12,"layout":{"kind":"u32","width":1}},"chunk":{"offset":16,"layout":{"kind":"u32","width":1}},"chunks":{"offset":20,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_scatter + "@compute @workgroup_size(WORKGROUP)\nfn scatter_sort(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= params.count) {\nreturn;\n}\nlet own = index[i];\nlet first = (i / params.run) * params.run;\nvar rank = 0u;\nfor (var n = first; n < min(first + params.run, params.count); n++) {\nrank += select(0u, 1u, index[n] < own || (index[n] == own && n < i));\n}\norder[first + rank] = i32(i);\n}\n",
};
