// Hochreiter and Schmidhuber, "Long short-term memory", 1997, with forget gate (Gers et al. 2000); PyTorch's nn.LSTM.
import { add, mul, sigmoid, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';

export const lstm: Cell = /* @__PURE__ */ defineCell({
  name: 'lstm',
  gates: ['i', 'f', 'g', 'o'],
  states: ['h', 'c'],
  update: ({ i, f, g, o }, { c }) => {
    const next = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
    return { c: next, h: mul(sigmoid(o), tanh(next)) };
  },
});
