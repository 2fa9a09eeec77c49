// Generated from scatter_merge.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_scatter } from './lib/scatter.ts';

export const scatter_merge: Kernel<
  'index' | 'order' | 'out' | 'parts' | 'merged',
  { readonly rows: number; readonly width: number; readonly count: number; readonly run: number; readonly chunk: number; readonly chunks: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'scatter_merge',
  bindings: {
    index: { binding: 1, access: 'read' },
    order: { binding: 2, access: 'read_write' },
    out: { binding: 3, access: 'read_write' },
    parts: { binding: 4, access: 'read_write' },
    merged: { binding: 5, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 32, layout: {"kind":"struct","members":{"rows":{"offset":0,"layout":{"kind":"u32","width":1}},"width":{"offset":4,"layout":{"kind":"u32","width":1}},"count":{"offset":8,"layout":{"kind":"u32","width":1}},"run":{"offset":12,"layout":{"kind":"u32","width":1}},"chunk":{"offset":16,"layout":{"kind":"u32","width":1}},"chunks":{"offset":20,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_scatter + "@group(0) @binding(5) var<storage, read_write> merged: array<i32>;\n@compute @workgroup_size(WORKGROUP)\nfn scatter_merge(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= params.count) {\nreturn;\n}\nlet own = index_at(i);\nlet first = (i / (2u * params.run)) * 2u * params.run;\nlet middle = min(first + params.run, params.count);\nlet is_left = i < middle;\nvar low = select(first, middle, is_left);\nvar high = select(middle, min(middle + params.run, params.count), is_left);\nwhile (low < high) {\nlet between = (low + high) / 2u;\nlet other = index_at(between);\nif (other < own || (other == own && !is_left)) {\nlow = between + 1u;\n} else {\nhigh = between;\n}\n}\nmerged[i + low - middle] = order[i];\n}\n",
};
