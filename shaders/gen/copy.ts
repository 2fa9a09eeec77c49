// Generated from copy.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const copy: Kernel<
  'source' | 'out',
  { readonly dims: readonly [number, number, number, number]; readonly size: number; readonly source: { readonly strides: readonly [number, number, number, number]; readonly offset: number }; readonly out: { readonly strides: readonly [number, number, number, number]; readonly offset: number } },
  'WORKGROUP',
  never,
  never
> = {
  name: 'copy',
  bindings: {
    source: { binding: 1, access: 'read' },
    out: { binding: 2, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 96, layout: {"kind":"struct","members":{"dims":{"offset":0,"layout":{"kind":"u32","width":4}},"size":{"offset":16,"layout":{"kind":"u32","width":1}},"source":{"offset":32,"layout":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}},"out":{"offset":64,"layout":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: "// Copies integers between strided views. As floats, small integers would be subnormal numbers, which a device may flush to 0.\n// One invocation copies one element.\n\n// A view of a tensor: an offset and a stride for each axis, in elements. Generated code computes an index from the axes that it\n// needs; element_index works for any view.\n\nstruct Operand {\n  strides: vec4u,\n  offset: u32,\n}\n\nfn element_index(operand: Operand, at: vec4u) -> u32 {\n  return operand.offset + dot(at, operand.strides);\n}\n// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups. Workgroups are\n// `size` invocations along x.\n\nfn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {\n  return id.y * groups.x * size + id.x;\n}\n\nstruct Params {\n  dims: vec4u,                    // the shape, padded with leading 1s\n  size: u32,                      // dims.x * dims.y * dims.z * dims.w\n  source: Operand,\n  out: Operand,\n}\n\noverride WORKGROUP: u32 = 64;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> source: array<i32>;\n@group(0) @binding(2) var<storage, read_write> out: array<i32>;\n\n@compute @workgroup_size(WORKGROUP)\nfn copy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\n  let i = linear_id(id, groups, WORKGROUP);\n  if (i >= params.size) {\n    return;\n  }\n  let plane = i / params.dims.w;\n  let cube = plane / params.dims.z;\n  let at = vec4u(cube / params.dims.y, cube % params.dims.y, plane % params.dims.z, i % params.dims.w);\n  out[element_index(params.out, at)] = source[element_index(params.source, at)];\n}\n",
};
