// Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with the reset applied after the
// recurrent product; PyTorch's nn.GRU.
import { add, mul, sigmoid, sub, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { apart } from './declaration.ts';

export const gru: Cell = /* @__PURE__ */ defineCell({
  name: 'gru',
  gates: ['r', 'z', apart('n')],
  states: ['h'],
  update: ({ r, z, n }, { h }) => {
    const candidate = tanh(add(n.input, mul(sigmoid(r), n.recurrent)));
    const keep = sigmoid(z);
    return { h: add(mul(sub(1, keep), candidate), mul(keep, h)) };
  },
});
