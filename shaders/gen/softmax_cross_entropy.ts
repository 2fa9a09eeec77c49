// Generated from softmax_cross_entropy.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_linear_id } from './lib/linear_id.ts';

export const softmax_cross_entropy: Kernel<
  'logits' | 'label' | 'loss' | 'log_sum' | 'counts',
  { readonly rows: number; readonly classes: number; readonly ignore_index: number; readonly smoothing: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'softmax_cross_entropy',
  bindings: {
    logits: { binding: 1, access: 'read' },
    label: { binding: 2, access: 'read' },
    loss: { binding: 3, access: 'read_write' },
    log_sum: { binding: 4, access: 'read_write' },
    counts: { binding: 5, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"rows":{"offset":0,"layout":{"kind":"u32","width":1}},"classes":{"offset":4,"layout":{"kind":"u32","width":1}},"ignore_index":{"offset":8,"layout":{"kind":"i32","width":1}},"smoothing":{"offset":12,"layout":{"kind":"f32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_linear_id + "struct Params {\nrows: u32,\nclasses: u32,\nignore_index: i32,\nsmoothing: f32,\n}\noverride WORKGROUP: u32 = 16;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> logits: array<f32>;\n@group(0) @binding(2) var<storage, read> label: array<i32>;\n@group(0) @binding(3) var<storage, read_write> loss: array<f32>;\n@group(0) @binding(4) var<storage, read_write> log_sum: array<f32>;\n@group(0) @binding(5) var<storage, read_write> counts: array<f32>;\n@compute @workgroup_size(WORKGROUP)\nfn softmax_cross_entropy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet row = linear_id(id, groups, WORKGROUP);\nif (row >= params.rows) {\nreturn;\n}\nif (label[row] == params.ignore_index) {\nloss[row] = 0.0;\nlog_sum[row] = 0.0;\ncounts[row] = 0.0;\nreturn;\n}\nlet base = row * params.classes;\nvar largest = logits[base];\nfor (var c = 1u; c < params.classes; c++) {\nlargest = max(largest, logits[base + c]);\n}\nvar total = 0.0;\nfor (var c = 0u; c < params.classes; c++) {\ntotal += exp(logits[base + c] - largest);\n}\nlet chosen = u32(clamp(label[row], 0, i32(params.classes) - 1));\nvar below = largest - logits[base + chosen];\nif (params.smoothing > 0.0) {\nvar mean = 0.0;\nfor (var c = 0u; c < params.classes; c++) {\nmean += (largest - logits[base + c]) / f32(params.classes);\n}\nbelow += params.smoothing * (mean - below);\n}\nlog_sum[row] = largest + log(total);\nloss[row] = below + log(total);\ncounts[row] = 1.0;\n}\n",
};
