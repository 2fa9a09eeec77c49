// Generated from scatter.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

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
  code: "// The transpose of gather: out[v, e] = sum of source[i, e] over all i with index[i] = v, in the order of i.\n// One invocation owns four columns of a row of the result and scans all indices: without atomics, the same inputs give the same\n// bits. A source row with an index outside the table is dropped.\n\n// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups. Workgroups are\n// `size` invocations along x.\n\nfn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {\n  return id.y * groups.x * size + id.x;\n}\n\nstruct Params {\n  width: u32,     // of a row\n  count: u32,     // number of indices\n  rows: u32,      // of the table\n}\n\noverride WORKGROUP: u32 = 64;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> source: array<f32>;       // (count, width)\n@group(0) @binding(2) var<storage, read> index: array<i32>;        // (count)\n@group(0) @binding(3) var<storage, read_write> out: array<f32>;    // (rows, width)\n\n@compute @workgroup_size(WORKGROUP)\nfn scatter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\n  let quads = (params.width + 3u) / 4u;\n  let i = linear_id(id, groups, WORKGROUP);\n  if (i >= params.rows * quads) {\n    return;\n  }\n  let row = i / quads;\n  let first = (i % quads) * 4u;\n  let columns = min(params.width - first, 4u);\n  var total = vec4f();\n  for (var n = 0u; n < params.count; n++) {\n    if (index[n] == i32(row)) {\n      for (var c = 0u; c < columns; c++) {\n        total[c] += source[n * params.width + first + c];\n      }\n    }\n  }\n  for (var c = 0u; c < columns; c++) {\n    out[row * params.width + first + c] = total[c];\n  }\n}\n",
};
