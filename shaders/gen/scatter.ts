// Generated from scatter.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_linear_id } from './lib/linear_id.ts';

export const scatter: Kernel<
  'source' | 'index' | 'out',
  { readonly width: number; readonly count: number; readonly rows: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'scatter',
  bindings: {
    source: { binding: 1, access: 'read' },
    index: { binding: 2, access: 'read' },
    out: { binding: 3, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"width":{"offset":0,"layout":{"kind":"u32","width":1}},"count":{"offset":4,"layout":{"kind":"u32","width":1}},"rows":{"offset":8,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_linear_id + "struct Params {\nwidth: u32,\ncount: u32,\nrows: u32,\n}\noverride WORKGROUP: u32 = 64;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> source: array<f32>;\n@group(0) @binding(2) var<storage, read> index: array<i32>;\n@group(0) @binding(3) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(WORKGROUP)\nfn scatter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet quads = (params.width + 3u) / 4u;\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= params.rows * quads) {\nreturn;\n}\nlet row = i / quads;\nlet first = (i % quads) * 4u;\nlet columns = min(params.width - first, 4u);\nvar total = vec4f();\nfor (var n = 0u; n < params.count; n++) {\nif (index[n] == i32(row)) {\nfor (var c = 0u; c < columns; c++) {\ntotal[c] += source[n * params.width + first + c];\n}\n}\n}\nfor (var c = 0u; c < columns; c++) {\nout[row * params.width + first + c] = total[c];\n}\n}\n",
};
