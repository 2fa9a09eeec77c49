// Generated from softmax_cross_entropy_backward.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
import { lib_linear_id } from './lib/linear_id.ts';

export const softmax_cross_entropy_backward: Kernel<
  'logits' | 'label' | 'log_sum' | 'd_loss' | 'd_logits',
  { readonly classes: number; readonly size: number; readonly ignore_index: number; readonly smoothing: number },
  'WORKGROUP',
  never,
  never
> = {
  name: 'softmax_cross_entropy_backward',
  bindings: {
    logits: { binding: 1, access: 'read' },
    label: { binding: 2, access: 'read' },
    log_sum: { binding: 3, access: 'read' },
    d_loss: { binding: 4, access: 'read' },
    d_logits: { binding: 5, access: 'read_write' },
  },
  uniforms: { binding: 0, size: 16, layout: {"kind":"struct","members":{"classes":{"offset":0,"layout":{"kind":"u32","width":1}},"size":{"offset":4,"layout":{"kind":"u32","width":1}},"ignore_index":{"offset":8,"layout":{"kind":"i32","width":1}},"smoothing":{"offset":12,"layout":{"kind":"f32","width":1}}}} },
  constants: ['WORKGROUP'],
  splices: [],
  unrolls: [],
  code: lib_linear_id + "struct Params {\nclasses: u32,\nsize: u32,\nignore_index: i32,\nsmoothing: f32,\n}\noverride WORKGROUP: u32 = 64;\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> logits: array<f32>;\n@group(0) @binding(2) var<storage, read> label: array<i32>;\n@group(0) @binding(3) var<storage, read> log_sum: array<f32>;\n@group(0) @binding(4) var<storage, read> d_loss: array<f32>;\n@group(0) @binding(5) var<storage, read_write> d_logits: array<f32>;\n@compute @workgroup_size(WORKGROUP)\nfn softmax_cross_entropy_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\nlet i = linear_id(id, groups, WORKGROUP);\nif (i >= params.size) {\nreturn;\n}\nlet row = i / params.classes;\nif (label[row] == params.ignore_index) {\nd_logits[i] = 0.0;\nreturn;\n}\nlet hit = select(0.0, 1.0, i32(i % params.classes) == label[row]);\nlet target_share = hit + params.smoothing * (1.0 / f32(params.classes) - hit);\nd_logits[i] = (exp(logits[i] - log_sum[row]) - target_share) * d_loss[row];\n}\n",
};
