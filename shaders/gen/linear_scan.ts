// Generated from linear_scan.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_nonlinear } from './lib/nonlinear.ts';
import { lib_operand } from './lib/operand.ts';
import { lib_linear_id } from './lib/linear_id.ts';
import { lib_linear_scan } from './lib/linear_scan.ts';

export const linear_scan: Kernel<
  'in0' | 'in1' | 'in2' | 'in3' | 'in4' | 'aggregates' | 'out0' | 'out1',
  { readonly steps: number; readonly units: number; readonly columns: number; readonly chunk: number; readonly chunks: number; readonly operands: readonly ({ readonly strides: readonly [number, number, number, number]; readonly offset: number })[] },
  'WORKGROUP' | 'REVERSE',
  'coefficients' | 'initial' | 'advance' | 'store',
  'UNROLL'
> = {
  name: 'linear_scan',
  bindings: {
    in0: { binding: 1, access: 'read' },
    in1: { binding: 2, access: 'read' },
    in2: { binding: 3, access: 'read' },
    in3: { binding: 4, access: 'read' },
    in4: { binding: 5, access: 'read' },
    aggregates: { binding: 6, access: 'read' },
    out0: { binding: 7, access: 'read_write' },
    out1: { binding: 8, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 544, layout: {"kind":"struct","members":{"steps":{"offset":0,"layout":{"kind":"u32","width":1}},"units":{"offset":4,"layout":{"kind":"u32","width":1}},"columns":{"offset":8,"layout":{"kind":"u32","width":1}},"chunk":{"offset":12,"layout":{"kind":"u32","width":1}},"chunks":{"offset":16,"layout":{"kind":"u32","width":1}},"operands":{"offset":32,"layout":{"kind":"array","count":16,"stride":32,"of":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}}}}} },
  constants: ['WORKGROUP', 'REVERSE'],
  splices: ['coefficients', 'initial', 'advance', 'store'],
  unrolls: ['UNROLL'],
  code: lib_nonlinear + lib_operand + lib_linear_id + lib_linear_scan + "@group(0) @binding(6) var<storage, read> aggregates: array<f32>;\n@group(0) @binding(7) var<storage, read_write> out0: array<f32>;\n@group(0) @binding(8) var<storage, read_write> out1: array<f32>;\n// @splice initial\nfn initial_state(at: vec4u) -> f32 {\nreturn 0.0;\n}\n// @end\n// @splice advance\nfn advance(initial: f32, chunk: u32, column: u32) -> f32 {\nvar state = initial;\nfor (var before = 0u; before < chunk; before++) {\nlet a = aggregates[before * params.columns + column];\nstate = a * state + aggregates[(params.chunks - 1u + before) * params.columns + column];\n}\nreturn state;\n}\n// @end\n// @splice store\nfn store(at: vec4u, before: f32, after: f32, last: bool) {\nout0[element_index(params.operands[2], at)] = after;\n}\n// @end\n@compute @workgroup_size(WORKGROUP)\nfn linear_scan(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet column = linear_id(id, groups, WORKGROUP);\nif (column >= params.columns) {\nreturn;\n}\nlet first = id.z * params.chunk;\nlet end = min(first + params.chunk, params.steps);\nvar state = advance(initial_state(element_of(0u, column)), id.z, column);\nfor (var position = first; position < end; position += UNROLL) {\n// @unroll I UNROLL\nlet at_I = element_of(min(position + I, end - 1u), column);\nlet step_I = coefficients(at_I);\n// @end\n// @unroll I UNROLL\nif (position + I < end) {\nlet next_I = step_I.x * state + step_I.y;\nstore(at_I, state, next_I, position + I + 1u == params.steps);\nstate = next_I;\n}\n// @end\n}\n}\n",
};
