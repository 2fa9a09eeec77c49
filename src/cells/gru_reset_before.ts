// Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014: the reset is applied to h before the
// recurrent product. ONNX's linear_before_reset = 0, Keras's reset_after = False.
import { add, mul, sigmoid, sub, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { late } from './declaration.ts';

export const gruResetBefore: Cell = /* @__PURE__ */ defineCell({
  name: 'gru_reset_before',
  gates: ['r', 'z', late('n')],
  states: ['h'],
  update: ({ r, z, n }, { h }) => {
    const keep = sigmoid(z);
    const candidate = tanh(n(mul(sigmoid(r), h)));
    return { h: add(mul(sub(1, keep), candidate), mul(keep, h)) };
  },
});
