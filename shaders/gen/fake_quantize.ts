// Generated from fake_quantize.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const fake_quantize: Kernel<
  'weight' | 'out' | 'largest',
  { readonly columns: number; readonly size: number },
  'WORKGROUP',
  'rounded',
  never
> = {
  name: 'fake_quantize',
  bindings: {
    weight: { binding: 1, access: 'read' },
    out: { binding: 2, access: 'read_write' },
    largest: { binding: 3, access: 'read' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"columns":{"offset":0,"layout":{"kind":"u32","width":1}},"size":{"offset":4,"layout":{"kind":"u32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: ['rounded'],
  unrolls: [],
  code: "// Fake quantization: rounds weights (N, K) to f16, or to int8 with a scale for each row, its largest magnitude / 127.\n// One invocation rounds one element.\n\n// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups. Workgroups are\n// `size` invocations along x.\n\nfn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {\n  return id.y * groups.x * size + id.x;\n}\n// Conversion to IEEE half precision (f16) without the WGSL extension f16. The rounding of pack2x16float is implementation-defined;\n// this equals src/core/half.ts bit for bit.\n\n/// bits / 2^count, rounded to nearest, ties to even.\nfn round_off(bits: u32, count: u32) -> u32 {\n  let quotient = bits >> count;\n  let rest = bits & ((1u << count) - 1u);\n  let tie = 1u << (count - 1u);\n  return quotient + select(0u, 1u, rest > tie || (rest == tie && (quotient & 1u) == 1u));\n}\n\n/// The bits of the nearest f16. Finite numbers past 65504, the largest f16, become 65504.\nfn half_bits(x: f32) -> u32 {\n  let bits = bitcast<u32>(x);\n  let sign = (bits >> 16u) & 0x8000u;\n  let magnitude = bits & 0x7fffffffu;\n  if (magnitude >= 0x7f800000u) {\n    return sign | select(0x7c00u, 0x7e00u, magnitude > 0x7f800000u);\n  }\n  if (magnitude >= 0x477ff000u) {\n    return sign | 0x7bffu;\n  }\n  let exponent = magnitude >> 23u;\n  if (exponent >= 113u) {\n    return sign | round_off(magnitude - (112u << 23u), 13u);\n  }\n  if (exponent < 102u) {\n    return sign;\n  }\n  return sign | round_off((magnitude & 0x7fffffu) | 0x800000u, 126u - exponent);\n}\n\n/// Four numbers as a packed quad of f16.\nfn halves_of(four: vec4f) -> vec2u {\n  return vec2u(half_bits(four.x) | (half_bits(four.y) << 16u), half_bits(four.z) | (half_bits(four.w) << 16u));\n}\n// Conversion to int8 by a scale for each row of weights. It equals src/ops/weight_precision.ts bit for bit.\n\n/// The integer q from -127 to 127 nearest to x * 127 / largest. WGSL's division is not correctly rounded, so the quotient is\n/// corrected by comparisons of products, which are.\nfn int8_of(x: f32, largest: f32) -> i32 {\n  // A row of zeros, or of numbers that a device may flush to zero.\n  if (!(largest >= 1e-30)) {\n    return 0;\n  }\n  let scaled = abs(x) * 127.0;\n  var q = clamp(floor(scaled / largest + 0.5), 0.0, 127.0);\n  if (q < 127.0 && (q + 0.5) * largest <= scaled) {\n    q += 1.0;\n  } else if (q > 0.0 && (q - 0.5) * largest > scaled) {\n    q -= 1.0;\n  }\n  return i32(select(q, -q, x < 0.0));\n}\n\n/// Four numbers as a packed quad of int8. @param largest The largest magnitude of their row.\nfn bytes_of(four: vec4f, largest: f32) -> u32 {\n  let q = vec4u(vec4i(\n    int8_of(four.x, largest), int8_of(four.y, largest), int8_of(four.z, largest), int8_of(four.w, largest))) & vec4u(0xffu);\n  return q.x | (q.y << 8u) | (q.z << 16u) | (q.w << 24u);\n}\n\nstruct Params {\n  columns: u32,       // K\n  size: u32,          // N * K\n}\n\noverride WORKGROUP: u32 = 64;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> weight: array<f32>;\n@group(0) @binding(2) var<storage, read_write> out: array<f32>;\n@group(0) @binding(3) var<storage, read> largest: array<f32>;     // (N)\n\n// @splice rounded\nfn rounded(x: f32, row: u32) -> f32 {\n  return unpack2x16float(half_bits(x)).x;\n}\n// @end\n\n@compute @workgroup_size(WORKGROUP)\nfn fake_quantize(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\n  let i = linear_id(id, groups, WORKGROUP);\n  if (i < params.size) {\n    out[i] = rounded(weight[i], i / params.columns);\n  }\n}\n",
};
