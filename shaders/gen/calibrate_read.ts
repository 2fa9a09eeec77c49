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
  code: "// Reads a buffer again and again, in vec4s, which tells what bytes an adapter can move from a buffer of that size. All\n// invocations together read `rounds` times as many vec4s as there are: a workgroup 2048 in a row at a time, eight each.\n\nstruct Params {\n  rounds: u32,     // rounds * size is below 2^31\n  size: u32,       // of the buffer in vec4s: a power of two, 2048 or more\n}\n\nconst I = 0u;                      // stands in for an unrolled count\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> data: array<vec4f>;       // (size)\n@group(0) @binding(2) var<storage, read_write> out: array<f32>;    // (workgroups, 256)\n\n@compute @workgroup_size(256)\nfn calibrate_read(\n  @builtin(workgroup_id) group: vec3u,\n  @builtin(num_workgroups) groups: vec3u,\n  @builtin(local_invocation_index) local: u32,\n) {\n  let end = params.rounds * params.size;\n  var sum = vec4f();\n  var start = group.x * 2048u + local;\n  for (var k = start; k < end; k += groups.x * 2048u) {\n    // @unroll I 8\n    sum += data[(start + I * 256u) & (params.size - 1u)];\n    // @end\n    // Odd, or in a small buffer each workgroup would come back to what it read, which its core may hold.\n    start += (groups.x | 1u) * 2048u;\n  }\n  out[group.x * 256u + local] = dot(sum, vec4f(1.0));\n}\n",
};
