// Generated from scatter.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_scatter } from './lib/scatter.ts';

export const scatter: Kernel<
  'index' | 'order' | 'out' | 'parts' | 'source',
  { readonly rows: number; readonly width: number; readonly count: number; readonly run: number; readonly chunk: number; readonly chunks: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'scatter',
  bindings: {
    index: { binding: 1, access: 'read' },
    order: { binding: 2, access: 'read_write' },
    out: { binding: 3, access: 'read_write' },
    parts: { binding: 4, access: 'read_write' },
    source: { binding: 5, access: 'read' },
  },
  uniforms: { binding: 0, size: 32, layout: {"kind":"struct","members":{"rows":{"offset":0,"layout":{"kind":"u32","width":1}},"width":{"offset":4,"layout":{"kind":"u32","width":1}},"count":{"offset":8,"layout":{"kind":"u32","width":1}},"run":{"offset":12,"layout":{"kind":"u32","width":1}},"chunk":{"offset":16,"layout":{"kind":"u32","width":1}},"chunks":{"offset":20,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_scatter + "@group(0) @binding(5) var<storage, read> source: array<f32>;\n@compute @workgroup_size(WORKGROUP)\nfn scatter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= params.chunks * params.width) {\nreturn;\n}\nlet column = i % params.width;\nlet first = (i / params.width) * params.chunk;\nlet end = min(first + params.chunk, params.count);\nvar row = index_at(first);\nvar is_part = began_before(first, row);\nvar total = 0.0;\nfor (var place = first; place < end; place++) {\ntotal += source[u32(order[place]) * params.width + column];\nlet next = index_at(min(place + 1u, end - 1u));\nif (next == row && place + 1u < end) {\ncontinue;\n}\nif (is_part) {\nparts[i] = total;\n} else if (is_inside(row)) {\nout[u32(row) * params.width + column] = total;\n}\nis_part = false;\nrow = next;\ntotal = 0.0;\n}\n}\n",
};
