// Generated from linear_scan_aggregate.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_nonlinear } from './lib/nonlinear.ts';
import { lib_operand } from './lib/operand.ts';
import { lib_linear_id } from './lib/linear_id.ts';
import { lib_linear_scan } from './lib/linear_scan.ts';

export const linear_scan_aggregate: Kernel<
  'in0' | 'in1' | 'in2' | 'in3' | 'in4' | 'aggregates',
  { readonly steps: number; readonly units: number; readonly columns: number; readonly chunk: number; readonly chunks: number; readonly operands: readonly ({ readonly strides: readonly [number, number, number, number]; readonly offset: number })[] },
  'WORKGROUP' | 'REVERSE',
  'coefficients',
  'UNROLL'
> = {
  name: 'linear_scan_aggregate',
  bindings: {
    in0: { binding: 1, access: 'read' },
    in1: { binding: 2, access: 'read' },
    in2: { binding: 3, access: 'read' },
    in3: { binding: 4, access: 'read' },
    in4: { binding: 5, access: 'read' },
    aggregates: { binding: 6, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 544, layout: {"kind":"struct","members":{"steps":{"offset":0,"layout":{"kind":"u32","width":1}},"units":{"offset":4,"layout":{"kind":"u32","width":1}},"columns":{"offset":8,"layout":{"kind":"u32","width":1}},"chunk":{"offset":12,"layout":{"kind":"u32","width":1}},"chunks":{"offset":16,"layout":{"kind":"u32","width":1}},"operands":{"offset":32,"layout":{"kind":"array","count":16,"stride":32,"of":{"kind":"struct","members":{"strides":{"offset":0,"layout":{"kind":"u32","width":4}},"offset":{"offset":16,"layout":{"kind":"u32","width":1}}}}}}}} },
  constants: ['WORKGROUP', 'REVERSE'],
  splices: ['coefficients'],
  unrolls: ['UNROLL'],
  code: lib_nonlinear + lib_operand + lib_linear_id + lib_linear_scan + "@group(0) @binding(6) var<storage, read_write> aggregates: array<f32>;\n@compute @workgroup_size(WORKGROUP)\nfn linear_scan_aggregate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet column = linear_id(id, groups, WORKGROUP);\nif (column >= params.columns) {\nreturn;\n}\nlet first = id.z * params.chunk;\nlet end = first + params.chunk;\nvar whole = vec2f(1.0, 0.0);\nfor (var position = first; position < end; position += UNROLL) {\n// @unroll I UNROLL\nlet step_I = coefficients(element_of(min(position + I, end - 1u), column));\n// @end\n// @unroll I UNROLL\nif (position + I < end) {\nwhole = vec2f(step_I.x * whole.x, step_I.x * whole.y + step_I.y);\n}\n// @end\n}\naggregates[id.z * params.columns + column] = whole.x;\naggregates[(params.chunks - 1u + id.z) * params.columns + column] = whole.y;\n}\n",
};
