// Generated from calibrate_dispatch.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const calibrate_dispatch: Kernel<
  'out',
  { readonly summand: number },
  never,
  never,
  never
> = {
  name: 'calibrate_dispatch',
  bindings: {
    out: { binding: 1, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"summand":{"offset":0,"layout":{"kind":"f32","width":1}}}} },
  constants: [],
  splices: [],
  unrolls: [],
  code: "struct Params {\nsummand: f32,\n}\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(64)\nfn calibrate_dispatch(@builtin(local_invocation_index) local: u32) {\nout[local] += params.summand;\n}\n",
};
