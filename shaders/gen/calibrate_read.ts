// Generated from calibrate_read.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const calibrate_read: Kernel<
  'data' | 'out',
  { readonly rounds: number; readonly size: number },
  never,
  never,
  never
> = {
  name: 'calibrate_read',
  bindings: {
    data: { binding: 1, access: 'read' },
    out: { binding: 2, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"rounds":{"offset":0,"layout":{"kind":"u32","width":1}},"size":{"offset":4,"layout":{"kind":"u32","width":1}}}} },
  constants: [],
  splices: [],
  unrolls: [],
  code: "// Measures bandwidth for a buffer of a given size: all invocations together read it `rounds` times in vec4s. A workgroup reads 2048\n// contiguous vec4s at a time, eight in each invocation.\n\nstruct Params {\n  rounds: u32,     // rounds * size is below 2^31\n  size: u32,       // of the buffer in vec4s: a power of two, at least 2048\n}\n\nconst I = 0u;                      // the index of an unrolled block\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> data: array<vec4f>;       // (size)\n@group(0) @binding(2) var<storage, read_write> out: array<f32>;    // (workgroups, 256)\n\n@compute @workgroup_size(256)\nfn calibrate_read(\n  @builtin(workgroup_id) group: vec3u,\n  @builtin(num_workgroups) groups: vec3u,\n  @builtin(local_invocation_index) local: u32,\n) {\n  let end = params.rounds * params.size;\n  var sum = vec4f();\n  var start = group.x * 2048u + local;\n  for (var k = start; k < end; k += groups.x * 2048u) {\n    // @unroll I 8\n    sum += data[(start + I * 256u) & (params.size - 1u)];\n    // @end\n    // An odd stride: with an even one, a workgroup would reread its own part of a small buffer, from the cache of its core.\n    start += (groups.x | 1u) * 2048u;\n  }\n  out[group.x * 256u + local] = dot(sum, vec4f(1.0));\n}\n",
};
