// Cross-entropy of a softmax over classes, and its gradient, each one kernel.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, sizeOf } from '../core/shape.ts';
import { bindDense, dispatch } from '../graph/launch.ts';
import { defineOp, expectValue, type Op, type Value } from '../graph/value.ts';
import { softmax_cross_entropy as kernel } from '../../shaders/gen/softmax_cross_entropy.ts';
import { softmax_cross_entropy_backward as backwardKernel } from '../../shaders/gen/softmax_cross_entropy_backward.ts';
import { apply } from './apply.ts';
import { reshape } from './structure.ts';
import { gridFor } from './wgsl_expression.ts';

type None = Record<never, never>;

export const softmaxCrossEntropyOp: Op<None> = defineOp({
  name: 'softmax_cross_entropy',
  summary: 'logits (N, C) and labels (N): losses (N), and the log of each row’s sum of exponentials (N)',
  infer: (_, [logits, label]) => {
    if (logits.shape.length !== 2 || label.shape.length !== 1 || logits.shape[0] !== label.shape[0]) {
      throw new GatewiseError(
        'shape',
        `softmaxCrossEntropy: expected logits (N, C) and labels (N), got ${show(logits.shape)} and ${show(label.shape)}`,
      );
    }
    return [
      { shape: [logits.shape[0]], dtype: 'f32' },
      { shape: [logits.shape[0]], dtype: 'f32' },
    ];
  },
  indexLimits: ([logits]) => [{ input: 1, limit: logits.shape[1] }],
  cpu: (_, [logits, label], [loss, logSum]) => {
    const [rows, classes] = logits.view.shape;
    for (let row = 0; row < rows; row++) {
      const base = logits.view.offset + row * classes;
      let largest = -Infinity;
      for (let c = 0; c < classes; c++) largest = Math.max(largest, logits.data[base + c]);
      let total = 0;
      for (let c = 0; c < classes; c++) total += Math.exp(logits.data[base + c] - largest);
      const chosen = Math.min(Math.max(label.data[label.view.offset + row], 0), classes - 1);
      logSum.data[logSum.view.offset + row] = largest + Math.log(total);
      loss.data[loss.view.offset + row] = largest - logits.data[base + chosen] + Math.log(total);
    }
  },
  gpu: ({ inputs: [logits, label], outputs: [loss, logSum] }) => [
    dispatch(kernel, {
      bindings: {
        logits: bindDense(logits),
        label: bindDense(label),
        loss: bindDense(loss),
        log_sum: bindDense(logSum),
      },
      uniforms: { rows: logits.view.shape[0], classes: logits.view.shape[1] },
      workgroups: gridFor(logits.view.shape[0], 16),
    }),
  ],
  cost: (_, [logits]) => 4 * sizeOf(logits.shape),
  grad: (node, [d]) => {
    const [logits, label] = node.inputs;
    return [d && apply(softmaxCrossEntropyBackwardOp, {}, [logits, label, node.outputs[1], d]), undefined];
  },
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

export const softmaxCrossEntropyBackwardOp: Op<None> = defineOp({
  name: 'softmax_cross_entropy_backward',
  summary: '(softmax - one-hot) · d loss, of the logits’ shape',
  infer: (_, [logits]) => [logits],
  cpu: (_, [logits, label, logSum, dLoss], [dLogits]) => {
    const [rows, classes] = logits.view.shape;
    for (let row = 0; row < rows; row++) {
      for (let c = 0; c < classes; c++) {
        const p = Math.exp(
          logits.data[logits.view.offset + row * classes + c] - logSum.data[logSum.view.offset + row],
        );
        const hit = label.data[label.view.offset + row] === c ? 1 : 0;
        dLogits.data[dLogits.view.offset + row * classes + c] =
          (p - hit) * dLoss.data[dLoss.view.offset + row];
      }
    }
  },
  gpu: ({ inputs: [logits, label, logSum, dLoss], outputs: [dLogits] }) => [
    dispatch(backwardKernel, {
      bindings: {
        logits: bindDense(logits),
        label: bindDense(label),
        log_sum: bindDense(logSum),
        d_loss: bindDense(dLoss),
        d_logits: bindDense(dLogits),
      },
      uniforms: { classes: logits.view.shape[1], size: sizeOf(logits.view.shape) },
      workgroups: gridFor(sizeOf(logits.view.shape), 64),
    }),
  ],
  cost: (_, [logits]) => 4 * sizeOf(logits.shape),
  tolerance: { absolute: 1e-6, relative: 1e-5 },
});

/**
 * -log softmax(logits)[label] for each row.
 * @param logits f32 (…, C). @param label i32 (…), each 0 to C - 1. @returns f32 (…), in nats.
 */
export function softmaxCrossEntropy(logits: Value, label: Value): Value {
  expectValue('softmaxCrossEntropy: logits', logits, 'f32');
  expectValue('softmaxCrossEntropy: labels', label, 'i32');
  if (!sameShape(logits.shape.slice(0, -1), label.shape)) {
    throw new GatewiseError(
      'shape',
      `softmaxCrossEntropy: expected labels of shape ${show(logits.shape.slice(0, -1))} for logits ${show(logits.shape)}, got ${show(label.shape)}`,
    );
  }
  const classes = logits.shape[logits.shape.length - 1];
  const losses = apply(softmaxCrossEntropyOp, {}, [reshape(logits, [-1, classes]), reshape(label, [-1])]);
  return reshape(losses, label.shape);
}
