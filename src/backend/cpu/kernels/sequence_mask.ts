// Masks (T, B) from sequence lengths.
import { sequenceMaskOp } from '../../../ops/sequence_mask.ts';
import { defineKernel, elementsOf } from './kernel.ts';

export const sequenceMask = defineKernel(sequenceMaskOp, {
  run: (_, inputs, [out]) => {
    const [steps, batch] = out.view.shape;
    const [lengths] = inputs.map(elementsOf);
    const mask = Array.from({ length: steps * batch }, (_element, i) =>
      Math.floor(i / batch) < lengths[i % batch] ? 1 : 0,
    );
    elementsOf(out).set(mask);
  },
});
