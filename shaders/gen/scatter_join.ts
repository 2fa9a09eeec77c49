// Generated from scatter_join.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_scatter } from './lib/scatter.ts';

export const scatter_join: Kernel<
  'index' | 'order' | 'out' | 'parts',
  { readonly rows: number; readonly width: number; readonly count: number; readonly run: number; readonly chunk: number; readonly chunks: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'scatter_join',
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
  code: lib_scatter + "@compute @workgroup_size(WORKGROUP)\nfn scatter_join(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= (params.chunks - 1u) * params.width) {\nreturn;\n}\nlet column = i % params.width;\nlet first = (i / params.width) * params.chunk;\nlet behind = first + params.chunk;\nlet row = index_at(behind);\nif (index_at(behind - 1u) != row || began_before(first, row) || !is_inside(row)) {\nreturn;\n}\nlet target_index = u32(row) * params.width + column;\nvar total = out[target_index];\nfor (var place = behind; place < params.count && index_at(min(place, params.count - 1u)) == row; place += params.chunk) {\ntotal += parts[(place / params.chunk) * params.width + column];\n}\nout[target_index] = total;\n}\n",
};
