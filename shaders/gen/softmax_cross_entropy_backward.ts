// Generated from softmax_cross_entropy_backward.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

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
  code: "// Gradient of the cross-entropy: d logits[r, c] = (softmax(logits[r])[c] - target[c]) * d loss[r]. The target is one-hot at the\n// label, smoothed; the gradient of rows whose label is ignore_index is 0. One invocation computes one element.\n\n// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups. Workgroups are\n// `size` invocations along x.\n\nfn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {\n  return id.y * groups.x * size + id.x;\n}\n\nstruct Params {\n  classes: u32,\n  size: u32,      // rows * classes\n  ignore_index: i32,\n  smoothing: f32,\n}\n\noverride WORKGROUP: u32 = 64;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> logits: array<f32>;               // (rows, classes)\n@group(0) @binding(2) var<storage, read> label: array<i32>;                // (rows)\n@group(0) @binding(3) var<storage, read> log_sum: array<f32>;              // (rows)\n@group(0) @binding(4) var<storage, read> d_loss: array<f32>;               // (rows)\n@group(0) @binding(5) var<storage, read_write> d_logits: array<f32>;       // (rows, classes)\n\n@compute @workgroup_size(WORKGROUP)\nfn softmax_cross_entropy_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\n  let i = linear_id(id, groups, WORKGROUP);\n  if (i >= params.size) {\n    return;\n  }\n  let row = i / params.classes;\n  if (label[row] == params.ignore_index) {\n    d_logits[i] = 0.0;\n    return;\n  }\n  let hit = select(0.0, 1.0, i32(i % params.classes) == label[row]);\n  let target_share = hit + params.smoothing * (1.0 / f32(params.classes) - hit);\n  d_logits[i] = (exp(logits[i] - log_sum[row]) - target_share) * d_loss[row];\n}\n",
};
