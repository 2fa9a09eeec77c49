// Generated from softmax_cross_entropy.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';

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
  code: "// Cross-entropy of a softmax for each row of logits: loss = log(sum of exp) - logits[label]; log_sum, the logarithm, for the\n// backward pass; and counts, 0 for a row whose label is ignore_index, else 1. The loss of an ignored row is 0.\n// With label smoothing s, the target is 1 - s at the label plus s / classes at every class. The largest logit is subtracted first,\n// so that no exp overflows. One invocation computes one row.\n\n// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups. Workgroups are\n// `size` invocations along x.\n\nfn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {\n  return id.y * groups.x * size + id.x;\n}\n\nstruct Params {\n  rows: u32,\n  classes: u32,\n  ignore_index: i32,\n  smoothing: f32,\n}\n\noverride WORKGROUP: u32 = 16;\n\n@group(0) @binding(0) var<uniform> params: Params;\n@group(0) @binding(1) var<storage, read> logits: array<f32>;               // (rows, classes)\n@group(0) @binding(2) var<storage, read> label: array<i32>;                // (rows)\n@group(0) @binding(3) var<storage, read_write> loss: array<f32>;           // (rows)\n@group(0) @binding(4) var<storage, read_write> log_sum: array<f32>;        // (rows)\n@group(0) @binding(5) var<storage, read_write> counts: array<f32>;         // (rows), 1 or 0\n\n@compute @workgroup_size(WORKGROUP)\nfn softmax_cross_entropy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {\n  let row = linear_id(id, groups, WORKGROUP);\n  if (row >= params.rows) {\n    return;\n  }\n  if (label[row] == params.ignore_index) {\n    loss[row] = 0.0;\n    log_sum[row] = 0.0;\n    counts[row] = 0.0;\n    return;\n  }\n  let base = row * params.classes;\n  var largest = logits[base];\n  for (var c = 1u; c < params.classes; c++) {\n    largest = max(largest, logits[base + c]);\n  }\n  var total = 0.0;\n  for (var c = 0u; c < params.classes; c++) {\n    total += exp(logits[base + c] - largest);\n  }\n  let chosen = u32(clamp(label[row], 0, i32(params.classes) - 1));\n  // The largest logit minus the mean logit under the target.\n  var below = largest - logits[base + chosen];\n  // A condition and not a product with 0: a logit may be -infinity.\n  if (params.smoothing > 0.0) {\n    var mean = 0.0;\n    for (var c = 0u; c < params.classes; c++) {\n      mean += (largest - logits[base + c]) / f32(params.classes);\n    }\n    below += params.smoothing * (mean - below);\n  }\n  log_sum[row] = largest + log(total);\n  loss[row] = below + log(total);\n  counts[row] = 1.0;\n}\n",
};
