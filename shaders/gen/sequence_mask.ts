// Generated from sequence_mask.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const sequence_mask: Kernel<
  'lengths' | 'out',
  { readonly batch: number; readonly size: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'sequence_mask',
  bindings: {
    lengths: { binding: 1, access: 'read' },
    out: { binding: 2, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"batch":{"offset":0,"layout":{"kind":"u32","width":1}},"size":{"offset":4,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: "// A mask from sequence lengths: out[t, b] = 1 if t < lengths[b], else 0. One invocation writes one element.\n\n// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups. Workgroups are\n// `size` invocations along x.\n\nfn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {\n  return id.y * groups.x * size + id.x;\n}\n\nstruct Params {\n  batch: u32,\n  size: u32,      // steps * batch\n}\n\noverride WORKGROUP: u32 = 64;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> lengths: array<i32>;      // (batch)\n@group(0) @binding(2) var<storage, read_write> out: array<f32>;    // (steps, batch)\n\n@compute @workgroup_size(WORKGROUP)\nfn sequence_mask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\n  let i = linear_id(id, groups, WORKGROUP);\n  if (i >= params.size) {\n    return;\n  }\n  out[i] = select(0.0, 1.0, i32(i / params.batch) < lengths[i % params.batch]);\n}\n",
};
