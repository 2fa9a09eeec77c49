// The scalar LSTM of Beck et al., "xLSTM: extended long short-term memory", 2024, equations 8 to 17: exponential input
// gate, sigmoid forget gate, normaliser n, and the stabiliser m that keeps the exponentials below 1.
import { add, div, equal, exp, logsigmoid, maximum, mul, sigmoid, sub, tanh, where } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';

/** The logarithm of what is 0 in float32. */
const NOTHING = -1000;

export const slstm: Cell = /* @__PURE__ */ defineCell({
  name: 'slstm',
  gates: ['i', 'f', 'z', 'o'],
  states: ['h', 'c', 'n', 'm'],
  update: ({ i, f, z, o }, { c, n, m }) => {
    // Nothing is kept yet where n is 0: the stabiliser is then i alone, else exp(i - 0) could vanish and leave 0 / 0.
    const empty = equal(n, 0);
    const kept = add(logsigmoid(f), m);
    const stabiliser = where(empty, i, maximum(kept, i));
    const input = exp(sub(i, stabiliser));
    const forget = exp(where(empty, NOTHING, sub(kept, stabiliser)));
    const cell = add(mul(forget, c), mul(input, tanh(z)));
    const normaliser = add(mul(forget, n), input);
    return { h: mul(sigmoid(o), div(cell, normaliser)), c: cell, n: normaliser, m: stabiliser };
  },
});
