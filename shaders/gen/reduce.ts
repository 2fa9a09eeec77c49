// Generated from reduce.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_nonlinear } from './lib/nonlinear.ts';
import { lib_operand } from './lib/operand.ts';
import { lib_linear_id } from './lib/linear_id.ts';

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
  code: lib_nonlinear + lib_operand + lib_linear_id + "struct Params {\nkept: vec2u,\nreduced: vec2u,\nsplits: u32,\nsplit_stride: u32,\noperands: array<Operand, 8>,\n}\noverride WORKGROUP: u32 = 64;\noverride MAXIMUM: bool = false;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> in0: array<f32>;\n@group(0) @binding(2) var<storage, read> in1: array<f32>;\n@group(0) @binding(3) var<storage, read> in2: array<f32>;\n@group(0) @binding(4) var<storage, read> in3: array<f32>;\n@group(0) @binding(5) var<storage, read> in4: array<f32>;\n@group(0) @binding(6) var<storage, read> in5: array<f32>;\n@group(0) @binding(7) var<storage, read> in6: array<f32>;\n@group(0) @binding(8) var<storage, read_write> out: array<f32>;\n// @splice element\nfn element(at: vec4u) -> f32 {\nreturn in0[element_index(params.operands[1], at)];\n}\n// @end\n@compute @workgroup_size(WORKGROUP)\nfn reduce(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet result = linear_id(id, groups, WORKGROUP);\nif (result >= params.kept.x * params.kept.y) {\nreturn;\n}\nlet split = id.z;\nvar at = vec4u(result / params.kept.y, result % params.kept.y, 0u, 0u);\nlet target_index = element_index(params.operands[0], at) + split * params.split_stride;\nlet count = params.reduced.x * params.reduced.y;\nat.z = split / params.reduced.y;\nat.w = split % params.reduced.y;\nvar total = element(at);\nfor (var i = split + params.splits; i < count; i += params.splits) {\nat.z = i / params.reduced.y;\nat.w = i % params.reduced.y;\nlet value = element(at);\ntotal = select(total + value, nan_max(total, value), MAXIMUM);\n}\nout[target_index] = total;\n}\n",
};
