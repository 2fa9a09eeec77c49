// Generated from gather.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const gather: Kernel<
  'table' | 'index' | 'out',
  { readonly rows: number; readonly width: number; readonly size: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'gather',
  bindings: {
    table: { binding: 1, access: 'read' },
    index: { binding: 2, access: 'read' },
    out: { binding: 3, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"rows":{"offset":0,"layout":{"kind":"u32","width":1}},"width":{"offset":4,"layout":{"kind":"u32","width":1}},"size":{"offset":8,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: "// Gathers rows of a table: out[i, e] = table[index[i], e], as in the forward pass of an embedding. An index outside the table reads\n// the nearest row. One invocation copies one element.\n\n// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups. Workgroups are\n// `size` invocations along x.\n\nfn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {\n  return id.y * groups.x * size + id.x;\n}\n\nstruct Params {\n  rows: u32,      // of the table\n  width: u32,     // of a row\n  size: u32,      // number of indices * width\n}\n\noverride WORKGROUP: u32 = 64;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> table: array<f32>;        // (rows, width)\n@group(0) @binding(2) var<storage, read> index: array<i32>;        // (size / width)\n@group(0) @binding(3) var<storage, read_write> out: array<f32>;    // (size / width, width)\n\n@compute @workgroup_size(WORKGROUP)\nfn gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\n  let i = linear_id(id, groups, WORKGROUP);\n  if (i >= params.size) {\n    return;\n  }\n  let row = u32(clamp(index[i / params.width], 0, i32(params.rows) - 1));\n  out[i] = table[row * params.width + i % params.width];\n}\n",
};
