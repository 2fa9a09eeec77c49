// LSTM whose gates see the cell state: Gers, Schraudolph and Schmidhuber, "Learning precise timing with LSTM recurrent
// networks", JMLR 2002. The output gate sees the new one.
import { add, mul, sigmoid, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';

export const lstmPeephole: Cell = /* @__PURE__ */ defineCell({
  name: 'lstm_peephole',
  gates: ['i', 'f', 'g', 'o'],
  states: ['h', 'c'],
  weights: { weight_ci: 'uniform', weight_cf: 'uniform', weight_co: 'uniform' },
  update: ({ i, f, g, o }, { c }, { weight_ci, weight_cf, weight_co }) => {
    const input = sigmoid(add(i, mul(weight_ci, c)));
    const forget = sigmoid(add(f, mul(weight_cf, c)));
    const next = add(mul(forget, c), mul(input, tanh(g)));
    return { c: next, h: mul(sigmoid(add(o, mul(weight_co, next))), tanh(next)) };
  },
});
