// Generated from dropout.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

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
  code: "// Dropout: out[i] = x[i] * scale if the random number of element i is at least p, else 0. Its random number is word i % 4 of\n// philox(counter (i / 4, stream, 0, 0), key seed), so the backward pass draws the same mask and nothing is stored for it.\n// One invocation computes four elements.\n\n// The counter-based random number generator Philox4x32-10 (Salmon et al., \"Parallel random numbers: as easy as 1, 2, 3\", SC 2011).\n// src/core/random.ts gives the same words for the same counter and key.\n\n/// The high 32 bits of a 64-bit product, for which WGSL has no operation.\nfn multiply_high(a: u32, b: u32) -> u32 {\n  let a_high = a >> 16u;\n  let a_low = a & 0xffffu;\n  let b_high = b >> 16u;\n  let b_low = b & 0xffffu;\n  let middle = a_high * b_low + ((a_low * b_low) >> 16u);\n  let cross = a_low * b_high + (middle & 0xffffu);\n  return a_high * b_high + (middle >> 16u) + (cross >> 16u);\n}\n\n/// Four 32-bit words for one counter under one key.\nfn philox(counter: vec4u, key: vec2u) -> vec4u {\n  var c = counter;\n  var k = key;\n  for (var turn = 0u; turn < 10u; turn++) {\n    c = vec4u(\n      multiply_high(0xcd9e8d57u, c.z) ^ c.y ^ k.x,\n      0xcd9e8d57u * c.z,\n      multiply_high(0xd2511f53u, c.x) ^ c.w ^ k.y,\n      0xd2511f53u * c.x,\n    );\n    k += vec2u(0x9e3779b9u, 0xbb67ae85u);\n  }\n  return c;\n}\n\n/// A uniform number in [0, 1) from the upper 24 bits of a word, which an f32 represents exactly.\nfn unit_uniform(word: u32) -> f32 {\n  return f32(word >> 8u) * 5.9604644775390625e-8;\n}\n// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups. Workgroups are\n// `size` invocations along x.\n\nfn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {\n  return id.y * groups.x * size + id.x;\n}\n\nstruct Params {\n  size: u32,\n  stream: u32,\n  p: f32,\n  scale: f32,    // 1 / (1 - p)\n}\n\noverride WORKGROUP: u32 = 64;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> x: array<f32>;            // (size)\n@group(0) @binding(2) var<storage, read> seed: array<i32>;         // (2)\n@group(0) @binding(3) var<storage, read_write> out: array<f32>;    // (size)\n\n@compute @workgroup_size(WORKGROUP)\nfn dropout(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\n  let four = linear_id(id, groups, WORKGROUP);\n  let start = 4u * four;\n  let key = vec2u(bitcast<u32>(seed[0]), bitcast<u32>(seed[1]));\n  let words = philox(vec4u(four, params.stream, 0u, 0u), key);\n  // @unroll I 4\n  if (start + I < params.size) {\n    // A product and not a select of x, so that NaN stays NaN.\n    out[start + I] = x[start + I] * select(0.0, params.scale, unit_uniform(words[I]) >= params.p);\n  }\n  // @end\n}\n",
};
