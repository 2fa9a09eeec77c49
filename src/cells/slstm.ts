// The scalar LSTM of Beck et al., "xLSTM: extended long short-term memory", 2024, equations 8 to 17: exponential input
// gate, sigmoid forget gate, normaliser n, and the stabiliser m that keeps the exponentials below 1.
import { add, div, exp, logsigmoid, maximum, mul, sigmoid, sub, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';

export const slstm: Cell = defineCell({
  name: 'slstm',
  gates: ['i', 'f', 'z', 'o'],
  states: ['h', 'c', 'n', 'm'],
  update: ({ i, f, z, o }, { c, n, m }) => {
    const kept = add(logsigmoid(f), m);
    const stabiliser = maximum(kept, i);
    const input = exp(sub(i, stabiliser));
    const forget = exp(sub(kept, stabiliser));
    const cell = add(mul(forget, c), mul(input, tanh(z)));
    const normaliser = add(mul(forget, n), input);
    return { h: mul(sigmoid(o), div(cell, normaliser)), c: cell, n: normaliser, m: stabiliser };
  },
});
