// Generated from elementwise.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_nonlinear } from './lib/nonlinear.ts';
import { lib_operand } from './lib/operand.ts';
import { lib_linear_id } from './lib/linear_id.ts';

export const elementwise: Kernel<
  'in0' | 'in1' | 'in2' | 'in3' | 'in4' | 'in5' | 'in6' | 'in7' | 'out0' | 'out1' | 'out2' | 'out3',
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
    in7: { binding: 8, access: 'read' },
    out0: { binding: 9, access: 'read_write' },
    out1: { binding: 10, access: 'read_write' },
    out2: { binding: 11, access: 'read_write' },
    out3: { binding: 12, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 416, layout: {"kind":"struct","members":{"dims":{"offset":0,"layout":{"kind":"u32","width":4}},"size":{"offset":16,"layout":{"kind":"u32","width":1}},"operands":{"offset":32,"layout":{"kind":"array","count":12,"stride":32,"of":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}}}}} },
  constants: ['WORKGROUP', 'RANK'],
  splices: ['element'],
  unrolls: [],
  code: lib_nonlinear + lib_operand + lib_linear_id + "struct Params {\ndims: vec4u,\nsize: u32,\noperands: array<Operand, 12>,\n}\noverride WORKGROUP: u32 = 64;\noverride RANK: u32 = 4;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> in0: array<f32>;\n@group(0) @binding(2) var<storage, read> in1: array<f32>;\n@group(0) @binding(3) var<storage, read> in2: array<f32>;\n@group(0) @binding(4) var<storage, read> in3: array<f32>;\n@group(0) @binding(5) var<storage, read> in4: array<f32>;\n@group(0) @binding(6) var<storage, read> in5: array<f32>;\n@group(0) @binding(7) var<storage, read> in6: array<f32>;\n@group(0) @binding(8) var<storage, read> in7: array<f32>;\n@group(0) @binding(9) var<storage, read_write> out0: array<f32>;\n@group(0) @binding(10) var<storage, read_write> out1: array<f32>;\n@group(0) @binding(11) var<storage, read_write> out2: array<f32>;\n@group(0) @binding(12) var<storage, read_write> out3: array<f32>;\n// @splice element\nfn element(at: vec4u) {\nout0[element_index(params.operands[0], at)] = in0[element_index(params.operands[1], at)];\n}\n// @end\n@compute @workgroup_size(WORKGROUP)\nfn elementwise(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= params.size) {\nreturn;\n}\nvar at = vec4u(0u, 0u, 0u, i);\nif (RANK > 1u) {\nat.z = i / params.dims.w;\nat.w = i - at.z * params.dims.w;\n}\nif (RANK > 2u) {\nlet y = at.z / params.dims.z;\nat.z = at.z - y * params.dims.z;\nat.x = y / params.dims.y;\nat.y = y - at.x * params.dims.y;\n}\nelement(at);\n}\n",
};
