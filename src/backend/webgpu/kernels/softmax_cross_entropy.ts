// Cross-entropy of a softmax and its gradient.
import { sizeOf } from '../../../core/shape.ts';
import { softmaxCrossEntropyBackwardOp, softmaxCrossEntropyOp } from '../../../ops/softmax_cross_entropy.ts';
import { softmax_cross_entropy as kernel } from '../../../../shaders/gen/softmax_cross_entropy.ts';
import { softmax_cross_entropy_backward as backwardKernel } from '../../../../shaders/gen/softmax_cross_entropy_backward.ts';
import { dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { gridFor } from './wgsl_expression.ts';

export const softmaxCrossEntropy = defineKernel(softmaxCrossEntropyOp, {
  dispatches: ({ attrs, inputs: [logits, label], outputs: [loss, logSum, counts] }) => [
    dispatch(kernel, {
      bindings: { logits, label, loss, log_sum: logSum, counts },
      uniforms: {
        rows: logits.view.shape[0],
        classes: logits.view.shape[1],
        ignore_index: attrs.ignoreIndex,
        smoothing: attrs.labelSmoothing,
      },
      workgroups: gridFor(logits.view.shape[0], 16),
    }),
  ],
});

export const softmaxCrossEntropyBackward = defineKernel(softmaxCrossEntropyBackwardOp, {
  dispatches: ({ attrs, inputs: [logits, label, logSum, dLoss], outputs: [dLogits] }) => [
    dispatch(backwardKernel, {
      bindings: { logits, label, log_sum: logSum, d_loss: dLoss, d_logits: dLogits },
      uniforms: {
        classes: logits.view.shape[1],
        size: sizeOf(logits.view.shape),
        ignore_index: attrs.ignoreIndex,
        smoothing: attrs.labelSmoothing,
      },
      workgroups: gridFor(sizeOf(logits.view.shape), 64),
    }),
  ],
});
