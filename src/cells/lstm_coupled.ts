// LSTM with coupled input and forget gates, f = 1 - i: "CIFG" of Greff et al., "LSTM: a search space odyssey", 2017.
import { add, mul, sigmoid, sub, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';

export const lstmCoupled: Cell = /* @__PURE__ */ defineCell({
  name: 'lstm_coupled',
  gates: ['i', 'g', 'o'],
  states: ['h', 'c'],
  update: ({ i, g, o }, { c }) => {
    const input = sigmoid(i);
    const next = add(mul(sub(1, input), c), mul(input, tanh(g)));
    return { c: next, h: mul(sigmoid(o), tanh(next)) };
  },
});
