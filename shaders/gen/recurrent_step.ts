// Generated from recurrent_step.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_recurrent } from './lib/recurrent.ts';

export const recurrent_step: Kernel<
  'reserve' | 'states' | 'weight' | 'vectors' | 'rows' | 'seed' | 'carry' | 'output' | 'halves' | 'bytes' | 'largest',
  { readonly next: number; readonly count: number; readonly stride: number; readonly steps: number; readonly batch: number },
  'SPLITS' | 'WORKGROUP',
  'phases',
  'PHASES' | 'ROWS' | 'UNITS' | `VECTORS_${number}` | `COPIES_${number}` | `MATRICES_${number}`
> = {
  name: 'recurrent_step',
  bindings: {
    reserve: { binding: 1, access: 'read_write' },
    states: { binding: 2, access: 'read_write' },
    weight: { binding: 3, access: 'read' },
    vectors: { binding: 4, access: 'read' },
    rows: { binding: 5, access: 'read' },
    seed: { binding: 6, access: 'read' },
    carry: { binding: 7, access: 'read_write' },
    output: { binding: 8, access: 'read_write' },
    halves: { binding: 9, access: 'read' },
    bytes: { binding: 10, access: 'read' },
    largest: { binding: 11, access: 'read' },
  },
  uniforms: { binding: 0, size: 32, layout: {"kind":"struct","members":{"next":{"offset":0,"layout":{"kind":"u32","width":1}},"count":{"offset":4,"layout":{"kind":"u32","width":1}},"stride":{"offset":8,"layout":{"kind":"i32","width":1}},"steps":{"offset":12,"layout":{"kind":"u32","width":1}},"batch":{"offset":16,"layout":{"kind":"u32","width":1}}}} },
  constants: ['SPLITS', 'WORKGROUP'],
  splices: ['phases'],
  unrolls: ['PHASES', 'ROWS', 'UNITS', 'VECTORS_0', 'COPIES_0', 'MATRICES_0'],
  code: lib_recurrent + "override WORKGROUP: u32 = 32;\n// @unroll PHASE 1\n@compute @workgroup_size(WORKGROUP)\nfn recurrent_step(@builtin(global_invocation_id) id: vec3u) {\nlet unit = id.x * UNITS;\nlet row = id.y * ROWS;\nlet layer = id.z;\nlet next = step_of(params.next, layer);\nif (unit >= WIDTH_PHASE || !has_PHASE(next)) {\nreturn;\n}\nvar product = products_PHASE(next, layer, row, unit, 0u, 0u);\nfor (var r = 0u; r < min(ROWS, params.batch - row); r++) {\nlet mean = means_of_PHASE(max(next, 1u), layer, row + r);\nfor (var u = 0u; u < min(UNITS, WIDTH_PHASE - unit); u++) {\napply_PHASE(next, layer, row + r, unit + u, product[r * UNITS + u], mean);\n}\n}\n}\n// @end\n",
};
