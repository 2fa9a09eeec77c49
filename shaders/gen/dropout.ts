// Generated from dropout.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_philox } from './lib/philox.ts';
import { lib_linear_id } from './lib/linear_id.ts';

export const dropout: Kernel<
  'x' | 'seed' | 'out',
  { readonly size: number; readonly stream: number; readonly p: number; readonly scale: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'dropout',
  bindings: {
    x: { binding: 1, access: 'read' },
    seed: { binding: 2, access: 'read' },
    out: { binding: 3, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"size":{"offset":0,"layout":{"kind":"u32","width":1}},"stream":{"offset":4,"layout":{"kind":"u32","width":1}},"p":{"offset":8,"layout":{"kind":"f32","width":1}},"scale":{"offset":12,"layout":{"kind":"f32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_philox + lib_linear_id + "struct Params {\nsize: u32,\nstream: u32,\np: f32,\nscale: f32,\n}\noverride WORKGROUP: u32 = 64;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> x: array<f32>;\n@group(0) @binding(2) var<storage, read> seed: array<i32>;\n@group(0) @binding(3) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(WORKGROUP)\nfn dropout(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet four = linear_id(id, groups, WORKGROUP);\nlet start = 4u * four;\nlet key = vec2u(bitcast<u32>(seed[0]), bitcast<u32>(seed[1]));\nlet words = philox(vec4u(four, params.stream, 0u, 0u), key);\n// @unroll I 4\nif (start + I < params.size) {\nout[start + I] = x[start + I] * select(0.0, params.scale, unit_uniform(words[I]) >= params.p);\n}\n// @end\n}\n",
};
