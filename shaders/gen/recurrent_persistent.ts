// Generated from recurrent_persistent.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_recurrent } from './lib/recurrent.ts';

export const recurrent_persistent: Kernel<
  'reserve' | 'states' | 'weight' | 'vectors' | 'rows' | 'seed' | 'carry' | 'output' | 'halves' | 'bytes' | 'largest',
  { readonly next: number; readonly count: number; readonly stride: number; readonly steps: number; readonly batch: number },
  'SPLITS' | 'LANES' | 'INVOCATIONS' | 'PARTIALS' | 'QUADS',
  'phases',
  'PHASES' | 'ROWS' | 'UNITS' | `VECTORS_${number}` | `COPIES_${number}` | `MATRICES_${number}` | 'IN_WORKGROUP' | 'IN_REGISTERS'
> = {
  name: 'recurrent_persistent',
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
  constants: ['SPLITS', 'LANES', 'INVOCATIONS', 'PARTIALS', 'QUADS'],
  splices: ['phases'],
  unrolls: ['PHASES', 'ROWS', 'UNITS', 'VECTORS_0', 'COPIES_0', 'MATRICES_0', 'IN_WORKGROUP', 'IN_REGISTERS'],
  code: lib_recurrent + "override LANES: u32 = 64;\noverride INVOCATIONS: u32 = 64;\noverride PARTIALS: u32 = 1;\noverride QUADS: u32 = 1;\nvar<workgroup> partials: array<f32, PARTIALS>;\nvar<workgroup> workgroup_weights: array<Packed, QUADS>;\n@compute @workgroup_size(INVOCATIONS)\nfn recurrent_persistent(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {\nlet lane = local % LANES;\nlet split = (local / LANES) % SPLITS;\nlet row = group.y * ROWS;\nlet layer = group.z;\n// @unroll ONCE IN_WORKGROUP\nfor (var i = local; i < QUADS; i += INVOCATIONS) {\nworkgroup_weights[i] = packed_at(layer * QUADS + i);\n}\nworkgroupBarrier();\n// @end\n// @unroll ONCE IN_REGISTERS\n// @unroll PHASE PHASES\n// @unroll P VECTORS_PHASE\n// @unroll Q COPIES_PHASE\n// @unroll G MATRICES_PHASE\nregisters_PHASE[(P * COPIES_PHASE + Q) * MATRICES_PHASE + G] = packed_at(quad_at_PHASE(\nweight_start_PHASE_P(layer), min(split + Q * SPLITS, (depth_PHASE_P() - 1u) / 4u), G, min(lane, WIDTH_PHASE - 1u)));\n// @end\n// @end\n// @end\n// @end\n// @end\nfor (var done = 0u; done < params.count; done++) {\nlet next = step_of(u32(i32(params.next) + i32(done) * params.stride), layer);\n// @unroll PHASE PHASES\nif (has_PHASE(next)) {\nfor (var turn = 0u; turn < TURNS_PHASE; turn++) {\nlet unit = ((group.x * TURNS_PHASE + turn) * LANES + lane) * UNITS;\nconst COUNT = ROWS * UNITS * PRODUCTS_PHASE;\nvar product: array<array<f32, PRODUCTS_PHASE>, ROWS * UNITS>;\nif (unit < WIDTH_PHASE) {\nproduct = products_PHASE(next, layer, row, unit, split, 0u);\n}\nif (SPLITS > 1u) {\nfor (var i = 0u; i < COUNT; i++) {\npartials[(split * COUNT + i) * LANES + lane] = product[i / PRODUCTS_PHASE][i % PRODUCTS_PHASE];\n}\nworkgroupBarrier();\n}\nfor (var i = split; i < ROWS * UNITS; i += SPLITS) {\nlet own_row = row + i / UNITS;\nlet own_unit = unit + i % UNITS;\nif (own_row < params.batch && own_unit < WIDTH_PHASE) {\nvar sums = product[i];\nif (SPLITS > 1u) {\nfor (var p = 0u; p < PRODUCTS_PHASE; p++) {\nvar sum = 0.0;\nfor (var s = 0u; s < SPLITS; s++) {\nsum += partials[(s * COUNT + i * PRODUCTS_PHASE + p) * LANES + lane];\n}\nsums[p] = sum;\n}\n}\nlet mean = means_of_PHASE(max(next, 1u), layer, own_row);\napply_PHASE(next, layer, own_row, own_unit, sums, mean);\n}\n}\nif (SPLITS > 1u) {\nworkgroupBarrier();\n}\n}\nstorageBarrier();\n}\n// @end\n}\n}\n",
};
