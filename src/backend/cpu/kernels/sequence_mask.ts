// Masks (T, B) from sequence lengths.
import { sequenceMaskOp } from '../../../ops/sequence_mask.ts';
import { defineKernel } from './kernel.ts';

export const sequenceMask = defineKernel(sequenceMaskOp, {
  run: (_, [lengths], [out]) => {
    const [steps, batch] = out.view.shape;
    for (let t = 0; t < steps; t++) {
      for (let b = 0; b < batch; b++)
        out.data[out.view.offset + t * batch + b] = t < lengths.data[lengths.view.offset + b] ? 1 : 0;
    }
  },
});
