import { softmaxCrossEntropyBackwardOp, softmaxCrossEntropyOp } from '../../../ops/softmax_cross_entropy.ts';
import { defineKernel } from './kernel.ts';

export const softmaxCrossEntropy = defineKernel(softmaxCrossEntropyOp, {
  run: ({ ignoreIndex, labelSmoothing }, [logits, label], [loss, logSum, counts]) => {
    const [rows, classes] = logits.view.shape;
    for (let row = 0; row < rows; row++) {
      const base = logits.view.offset + row * classes;
      const wanted = label.data[label.view.offset + row];
      const write = (value: number, log: number, count: number): void => {
        loss.data[loss.view.offset + row] = value;
        logSum.data[logSum.view.offset + row] = log;
        counts.data[counts.view.offset + row] = count;
      };
      if (wanted === ignoreIndex) {
        write(0, 0, 0);
        continue;
      }
      let largest = -Infinity;
      for (let c = 0; c < classes; c++) largest = Math.max(largest, logits.data[base + c]);
      let total = 0;
      for (let c = 0; c < classes; c++) total += Math.exp(logits.data[base + c] - largest);
      const chosen = Math.min(Math.max(wanted, 0), classes - 1);
      let below = largest - logits.data[base + chosen];
      // Not a product with 0: a class's logit may be -infinity, and 0 · infinity is NaN.
      if (labelSmoothing > 0) {
        let mean = 0;
        for (let c = 0; c < classes; c++) mean += (largest - logits.data[base + c]) / classes;
        below += labelSmoothing * (mean - below);
      }
      write(below + Math.log(total), largest + Math.log(total), 1);
    }
  },
});

export const softmaxCrossEntropyBackward = defineKernel(softmaxCrossEntropyBackwardOp, {
  run: ({ ignoreIndex, labelSmoothing }, [logits, label, logSum, dLoss], [dLogits]) => {
    const [rows, classes] = logits.view.shape;
    for (let row = 0; row < rows; row++) {
      const wanted = label.data[label.view.offset + row];
      const log = logSum.data[logSum.view.offset + row];
      const d = dLoss.data[dLoss.view.offset + row];
      for (let c = 0; c < classes; c++) {
        const p = Math.exp(logits.data[logits.view.offset + row * classes + c] - log);
        const hit = wanted === c ? 1 : 0;
        const target = hit + labelSmoothing * (1 / classes - hit);
        dLogits.data[dLogits.view.offset + row * classes + c] = wanted === ignoreIndex ? 0 : (p - target) * d;
      }
    }
  },
});
