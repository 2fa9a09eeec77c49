// Generated from elementwise.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const elementwise: Kernel<
  'in0' | 'in1' | 'in2' | 'in3' | 'in4' | 'in5' | 'in6' | 'out0' | 'out1' | 'out2',
  { readonly dims: readonly [number, number, number, number]; readonly size: number; readonly operands: readonly ({ readonly strides: readonly [number, number, number, number]; readonly offset: number })[] },
  'WORKGROUP' | 'RANK',
  'element',
  never
> = {
  name: 'elementwise',
  bindings: {
    in0: { binding: 1, access: 'read' },
    in1: { binding: 2, access: 'read' },
    in2: { binding: 3, access: 'read' },
    in3: { binding: 4, access: 'read' },
    in4: { binding: 5, access: 'read' },
    in5: { binding: 6, access: 'read' },
    in6: { binding: 7, access: 'read' },
    out0: { binding: 8, access: 'read_write' },
    out1: { binding: 9, access: 'read_write' },
    out2: { binding: 10, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 352, layout: {"kind":"struct","members":{"dims":{"offset":0,"layout":{"kind":"u32","width":4}},"size":{"offset":16,"layout":{"kind":"u32","width":1}},"operands":{"offset":32,"layout":{"kind":"array","count":10,"stride":32,"of":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}}}}} },
  constants: ['WORKGROUP', 'RANK'],
  splices: ['element'],
  unrolls: [],
  code: "// Any expression over strided inputs, element by element, with up to three outputs.\n// One invocation computes one element. An optimizer update is this kernel with in-place outputs.\n\n// sigmoid and tanh that are finite for every finite input. They, max and min are NaN for NaN, so that a broken input\n// shows in the loss.\n// WGSL's own tanh inherits its accuracy from sinh / cosh and is indeterminate past |x| = 88 (gpuweb issue 4458).\n\n/// Tested on the bits, since a compiler may assume that no number is NaN.\nfn is_nan(x: f32) -> bool {\n  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;\n}\n\n/// WGSL's max and min of NaN and a number may be the number.\nfn nan_max(a: f32, b: f32) -> f32 {\n  return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));\n}\n\nfn nan_min(a: f32, b: f32) -> f32 {\n  return select(select(min(a, b), b, is_nan(b)), a, is_nan(a));\n}\n\nfn stable_sigmoid(x: f32) -> f32 {\n  return select(1.0 / (1.0 + exp(-clamp(x, -80.0, 80.0))), x, is_nan(x));\n}\n\nfn stable_tanh(x: f32) -> f32 {\n  // Near 0, where 1 - 2 / (e^2x + 1) would cancel, the Taylor series up to x^13 is right to 1e-7.\n  let s = min(x * x, 0.25);\n  let series = 1.0 + s * (-0.333333333 + s * (0.133333333 + s * (-0.0539682540\n      + s * (0.0218694885 + s * (-0.00886323553 + s * 0.00359212804)))));\n  let magnitude = 1.0 - 2.0 / (exp(2.0 * min(abs(x), 15.0)) + 1.0);\n  return select(select(sign(x) * magnitude, x * series, abs(x) < 0.5), x, is_nan(x));\n}\n// How a kernel reads a tensor through a view: an offset and a stride per axis, both in elements.\n// Generated code spells an index out with the axes that it needs; element_index serves any view.\n\nstruct Operand {\n  strides: vec4u,\n  offset: u32,\n}\n\nfn element_index(operand: Operand, at: vec4u) -> u32 {\n  return operand.offset + dot(at, operand.strides);\n}\n// The index of an invocation in a grid that may be folded over y, since x stops at 65535 workgroups.\n\nfn linear_id(group: vec3u, groups: vec3u, local: u32, size: u32) -> u32 {\n  return (group.y * groups.x + group.x) * size + local;\n}\n\nstruct Params {\n  dims: vec4u,                    // the shape, padded with 1 in front\n  size: u32,                      // dims.x * dims.y * dims.z * dims.w\n  operands: array<Operand, 10>,   // in0 to in6, then out0 to out2\n}\n\noverride WORKGROUP: u32 = 64;\noverride RANK: u32 = 4;           // how many of dims are not 1, counted from the back\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> in0: array<f32>;\n@group(0) @binding(2) var<storage, read> in1: array<f32>;\n@group(0) @binding(3) var<storage, read> in2: array<f32>;\n@group(0) @binding(4) var<storage, read> in3: array<f32>;\n@group(0) @binding(5) var<storage, read> in4: array<f32>;\n@group(0) @binding(6) var<storage, read> in5: array<f32>;\n@group(0) @binding(7) var<storage, read> in6: array<f32>;\n@group(0) @binding(8) var<storage, read_write> out0: array<f32>;\n@group(0) @binding(9) var<storage, read_write> out1: array<f32>;\n@group(0) @binding(10) var<storage, read_write> out2: array<f32>;\n\n// @splice element\nfn element(at: vec4u) {\n  out0[element_index(params.operands[7], at)] = in0[element_index(params.operands[0], at)];\n}\n// @end\n\n@compute @workgroup_size(WORKGROUP)\nfn elementwise(\n  @builtin(workgroup_id) group: vec3u,\n  @builtin(num_workgroups) groups: vec3u,\n  @builtin(local_invocation_index) local: u32,\n) {\n  let i = linear_id(group, groups, local, WORKGROUP);\n  if (i >= params.size) {\n    return;\n  }\n  var at = vec4u(0u, 0u, 0u, i);\n  if (RANK > 1u) {\n    at.z = i / params.dims.w;\n    at.w = i - at.z * params.dims.w;\n  }\n  if (RANK > 2u) {\n    let y = at.z / params.dims.z;\n    at.z = at.z - y * params.dims.z;\n    at.x = y / params.dims.y;\n    at.y = y - at.x * params.dims.y;\n  }\n  element(at);\n}\n",
};
