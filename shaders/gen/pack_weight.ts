// Generated from pack_weight.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const pack_weight: Kernel<
  'weight' | 'packed',
  { readonly first: number; readonly start: number; readonly blocks: number; readonly depth: number; readonly units: number; readonly strides: readonly [number, number, number]; readonly packed: readonly [number, number, number] },
  'WORKGROUP',
  never,
  never
> = {
  name: 'pack_weight',
  bindings: {
    weight: { binding: 1, access: 'read' },
    packed: { binding: 2, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 64, layout: {"kind":"struct","members":{"first":{"offset":0,"layout":{"kind":"u32","width":1}},"start":{"offset":4,"layout":{"kind":"u32","width":1}},"blocks":{"offset":8,"layout":{"kind":"u32","width":1}},"depth":{"offset":12,"layout":{"kind":"u32","width":1}},"units":{"offset":16,"layout":{"kind":"u32","width":1}},"strides":{"offset":32,"layout":{"kind":"u32","width":3}},"packed":{"offset":48,"layout":{"kind":"u32","width":3}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: "// Lays a matrix of weights out for the recurrent kernels: packed[q, u] holds weight[4q .. 4q+3, u], so that\n// neighbouring invocations, which own neighbouring units u, read neighbouring vec4s. Rows past the end are 0.\n\n// The index of an invocation in a grid that may be folded over y, since x stops at 65535 workgroups.\n\nfn linear_id(group: vec3u, groups: vec3u, local: u32, size: u32) -> u32 {\n  return (group.y * groups.x + group.x) * size + local;\n}\n\nstruct Params {\n  first: u32,         // element of the source at which the first matrix begins\n  start: u32,         // vec4 of the result at which it begins\n  blocks: u32,        // matrices that follow each other\n  depth: u32,         // rows of each: what the product sums over\n  units: u32,         // columns of each\n  strides: vec3u,     // of (part, row, column) in the source, in elements\n  packed: vec3u,      // of (part, quad of rows, column) in the result, in vec4s\n}\n\noverride WORKGROUP: u32 = 64;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> weight: array<f32>;\n@group(0) @binding(2) var<storage, read_write> packed: array<vec4f>;\n\n@compute @workgroup_size(WORKGROUP)\nfn pack_weight(\n  @builtin(workgroup_id) group: vec3u,\n  @builtin(num_workgroups) groups: vec3u,\n  @builtin(local_invocation_index) local: u32,\n) {\n  let i = linear_id(group, groups, local, WORKGROUP);\n  let quads = (params.depth + 3u) / 4u;\n  if (i >= params.blocks * quads * params.units) {\n    return;\n  }\n  let unit = i % params.units;\n  let quad = (i / params.units) % quads;\n  let part = (i / params.units) / quads;\n  let base = params.first + part * params.strides.x + unit * params.strides.z;\n  var four = vec4f();\n  for (var n = 0u; n < 4u; n++) {\n    let row = quad * 4u + n;\n    if (row < params.depth) {\n      four[n] = weight[base + row * params.strides.y];\n    }\n  }\n  packed[params.start + part * params.packed.x + quad * params.packed.y + unit * params.packed.z] = four;\n}\n",
};
