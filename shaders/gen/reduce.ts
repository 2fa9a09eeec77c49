// Generated from reduce.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

export const reduce: Kernel<
  'in0' | 'in1' | 'in2' | 'in3' | 'in4' | 'in5' | 'in6' | 'out',
  { readonly kept: readonly [number, number]; readonly reduced: readonly [number, number]; readonly splits: number; readonly split_stride: number; readonly operands: readonly ({ readonly strides: readonly [number, number, number, number]; readonly offset: number })[] },
  'WORKGROUP' | 'MAXIMUM',
  'element',
  never
> = {
  name: 'reduce',
  bindings: {
    in0: { binding: 1, access: 'read' },
    in1: { binding: 2, access: 'read' },
    in2: { binding: 3, access: 'read' },
    in3: { binding: 4, access: 'read' },
    in4: { binding: 5, access: 'read' },
    in5: { binding: 6, access: 'read' },
    in6: { binding: 7, access: 'read' },
    out: { binding: 8, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 288, layout: {"kind":"struct","members":{"kept":{"offset":0,"layout":{"kind":"u32","width":2}},"reduced":{"offset":8,"layout":{"kind":"u32","width":2}},"splits":{"offset":16,"layout":{"kind":"u32","width":1}},"split_stride":{"offset":20,"layout":{"kind":"u32","width":1}},"operands":{"offset":32,"layout":{"kind":"array","count":8,"stride":32,"of":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}}}}} },
  constants: ['WORKGROUP', 'MAXIMUM'],
  splices: ['element'],
  unrolls: [],
  code: "// Sum or maximum over some axes of an expression over strided inputs.\n// One invocation folds every SPLITS-th element of one result; where there are few results, a second dispatch\n// folds the partial results. The order is fixed, so the same inputs give the same bits.\n\n// sigmoid and tanh that are finite for every finite input. WGSL's own tanh inherits its accuracy from\n// sinh / cosh and is indeterminate past |x| = 88 (gpuweb issue 4458).\n\nfn stable_sigmoid(x: f32) -> f32 {\n  return 1.0 / (1.0 + exp(-clamp(x, -80.0, 80.0)));\n}\n\nfn stable_tanh(x: f32) -> f32 {\n  // Near 0, where 1 - 2 / (e^2x + 1) would cancel, the Taylor series up to x^13 is right to 1e-7.\n  let s = min(x * x, 0.25);\n  let series = 1.0 + s * (-0.333333333 + s * (0.133333333 + s * (-0.0539682540\n      + s * (0.0218694885 + s * (-0.00886323553 + s * 0.00359212804)))));\n  let magnitude = 1.0 - 2.0 / (exp(2.0 * min(abs(x), 15.0)) + 1.0);\n  return select(sign(x) * magnitude, x * series, abs(x) < 0.5);\n}\n// How a kernel reads a tensor through a view: an offset and a stride per axis, both in elements.\n// Generated code spells an index out with the axes that it needs; element_index serves any view.\n\nstruct Operand {\n  strides: vec4u,\n  offset: u32,\n}\n\nfn element_index(operand: Operand, at: vec4u) -> u32 {\n  return operand.offset + dot(at, operand.strides);\n}\n// The index of an invocation in a grid that may be folded over y, since x stops at 65535 workgroups.\n\nfn linear_id(group: vec3u, groups: vec3u, local: u32, size: u32) -> u32 {\n  return (group.y * groups.x + group.x) * size + local;\n}\n\nstruct Params {\n  kept: vec2u,                    // shape of the results\n  reduced: vec2u,                 // shape of what each result folds\n  splits: u32,\n  split_stride: u32,              // from one partial result to the next, in elements\n  operands: array<Operand, 8>,    // in0 to in6, then out; axes: kept.x, kept.y, reduced.x, reduced.y\n}\n\noverride WORKGROUP: u32 = 64;\noverride MAXIMUM: bool = false;   // else the sum\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> in0: array<f32>;\n@group(0) @binding(2) var<storage, read> in1: array<f32>;\n@group(0) @binding(3) var<storage, read> in2: array<f32>;\n@group(0) @binding(4) var<storage, read> in3: array<f32>;\n@group(0) @binding(5) var<storage, read> in4: array<f32>;\n@group(0) @binding(6) var<storage, read> in5: array<f32>;\n@group(0) @binding(7) var<storage, read> in6: array<f32>;\n@group(0) @binding(8) var<storage, read_write> out: array<f32>;\n\n// @splice element\nfn element(at: vec4u) -> f32 {\n  return in0[element_index(params.operands[0], at)];\n}\n// @end\n\n@compute @workgroup_size(WORKGROUP)\nfn reduce(\n  @builtin(workgroup_id) group: vec3u,\n  @builtin(num_workgroups) groups: vec3u,\n  @builtin(local_invocation_index) local: u32,\n) {\n  let result = linear_id(group, groups, local, WORKGROUP);\n  if (result >= params.kept.x * params.kept.y) {\n    return;\n  }\n  let split = group.z;\n  var at = vec4u(result / params.kept.y, result % params.kept.y, 0u, 0u);\n  let target_index = element_index(params.operands[7], at) + split * params.split_stride;\n  let count = params.reduced.x * params.reduced.y;\n  // Every result folds at least one element, so the maximum can start from its own first.\n  at.z = split / params.reduced.y;\n  at.w = split % params.reduced.y;\n  var total = element(at);\n  for (var i = split + params.splits; i < count; i += params.splits) {\n    at.z = i / params.reduced.y;\n    at.w = i % params.reduced.y;\n    let value = element(at);\n    total = select(total + value, max(total, value), MAXIMUM);\n  }\n  out[target_index] = total;\n}\n",
};
