// Dropout by the random numbers of the WebGPU kernel.
import { philox, unitUniform } from '../../../core/random.ts';
import { sizeOf } from '../../../core/shape.ts';
import { dropoutOp, roundedAttrs } from '../../../ops/dropout.ts';
import { defineKernel } from './kernel.ts';

export const dropout = defineKernel(dropoutOp, {
  run: (attrs, [x, seed], [out]) => {
    const { p, scale } = roundedAttrs(attrs);
    const [low, high] = [0, 1].map((i) => seed.data[seed.view.offset + i] >>> 0);
    const size = sizeOf(x.view.shape);
    for (let start = 0; start < size; start += 4) {
      const words = philox([start / 4, attrs.stream, 0, 0], [low, high]);
      for (let i = start; i < Math.min(start + 4, size); i++) {
        const factor = unitUniform(words[i - start]) >= p ? scale : 0;
        out.data[out.view.offset + i] = x.data[x.view.offset + i] * factor;
      }
    }
  },
});
