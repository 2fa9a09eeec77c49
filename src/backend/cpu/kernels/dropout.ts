// Dropout by the random numbers of the WebGPU kernel.
import { philox, unitUniform } from '../../../core/random.ts';
import { sizeOf } from '../../../core/shape.ts';
import { dropoutOp, roundedAttrs } from '../../../ops/dropout.ts';
import { defineKernel, elementsOf } from './kernel.ts';

export const dropout = defineKernel(dropoutOp, {
  run: (attrs, inputs, [out]) => {
    const [x, seed] = inputs.map(elementsOf);
    const to = elementsOf(out);
    const { p, scale } = roundedAttrs(attrs);
    let words: readonly number[] = [];
    for (let i = 0; i < sizeOf(out.view.shape); i++) {
      if (i % 4 === 0) words = philox([i / 4, attrs.stream, 0, 0], [seed[0] >>> 0, seed[1] >>> 0]);
      to[i] = x[i] * (unitUniform(words[i % 4]) >= p ? scale : 0);
    }
  },
});
