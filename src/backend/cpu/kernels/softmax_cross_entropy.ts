// Cross-entropy of a softmax and its gradient.
import { softmaxCrossEntropyBackwardOp, softmaxCrossEntropyOp } from '../../../ops/softmax_cross_entropy.ts';
import { defineKernel, elementsOf } from './kernel.ts';

export const softmaxCrossEntropy = defineKernel(softmaxCrossEntropyOp, {
  run: ({ ignoreIndex, labelSmoothing }, inputs, outputs) => {
    const [rows, classes] = inputs[0].view.shape;
    const [logits, label] = inputs.map(elementsOf);
    const [loss, logSum, counts] = outputs.map(elementsOf);
    for (let row = 0; row < rows; row++) {
      const own = logits.subarray(row * classes, (row + 1) * classes);
      const counted = label[row] !== ignoreIndex;
      counts[row] = counted ? 1 : 0;
      loss[row] = 0;
      logSum[row] = 0;
      if (!counted) continue;
      let largest = -Infinity;
      for (const x of own) largest = Math.max(largest, x);
      let total = 0;
      for (const x of own) total += Math.exp(x - largest);
      const chosen = Math.min(Math.max(label[row], 0), classes - 1);
      // The largest logit minus the mean logit under the target distribution.
      let below = largest - own[chosen];
      // A condition and not a product with 0: a logit may be -infinity.
      if (labelSmoothing > 0) {
        let mean = 0;
        for (const x of own) mean += (largest - x) / classes;
        below += labelSmoothing * (mean - below);
      }
      loss[row] = below + Math.log(total);
      logSum[row] = largest + Math.log(total);
    }
  },
});

export const softmaxCrossEntropyBackward = defineKernel(softmaxCrossEntropyBackwardOp, {
  run: ({ ignoreIndex, labelSmoothing }, inputs, [out]) => {
    const [rows, classes] = out.view.shape;
    const [logits, label, logSum, dLoss] = inputs.map(elementsOf);
    const dLogits = elementsOf(out);
    for (let i = 0; i < rows * classes; i++) {
      const row = Math.floor(i / classes);
      const p = Math.exp(logits[i] - logSum[row]);
      const hit = label[row] === i % classes ? 1 : 0;
      const target = hit + labelSmoothing * (1 / classes - hit);
      dLogits[i] = label[row] === ignoreIndex ? 0 : (p - target) * dLoss[row];
    }
  },
});
