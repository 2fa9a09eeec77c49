// Generated from scatter.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const scatter: Kernel<
  'source' | 'index' | 'out',
  { readonly width: number; readonly count: number; readonly size: number },
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
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"width":{"offset":0,"layout":{"kind":"u32","width":1}},"count":{"offset":4,"layout":{"kind":"u32","width":1}},"size":{"offset":8,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: "// The transpose of gather: out[v, e] = sum of source[i, e] over the i with index[i] = v, in the order of i.\n// One invocation owns one element of the result and looks through all indices: no atomics, so the same\n// inputs give the same bits.\n\n// The index of an invocation in a grid that may be folded over y, since x stops at 65535 workgroups.\n\nfn linear_id(group: vec3u, groups: vec3u, local: u32, size: u32) -> u32 {\n  return (group.y * groups.x + group.x) * size + local;\n}\n\nstruct Params {\n  width: u32,     // of a row\n  count: u32,     // number of indices\n  size: u32,      // rows of the table * width\n}\n\noverride WORKGROUP: u32 = 64;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> source: array<f32>;       // (count, width)\n@group(0) @binding(2) var<storage, read> index: array<i32>;        // (count)\n@group(0) @binding(3) var<storage, read_write> out: array<f32>;    // (size / width, width)\n\n@compute @workgroup_size(WORKGROUP)\nfn scatter(\n  @builtin(workgroup_id) group: vec3u,\n  @builtin(num_workgroups) groups: vec3u,\n  @builtin(local_invocation_index) local: u32,\n) {\n  let element = linear_id(group, groups, local, WORKGROUP);\n  if (element >= params.size) {\n    return;\n  }\n  let row = i32(element / params.width);\n  let column = element % params.width;\n  var total = 0.0;\n  for (var i = 0u; i < params.count; i++) {\n    if (index[i] == row) {\n      total += source[i * params.width + column];\n    }\n  }\n  out[element] = total;\n}\n",
};
