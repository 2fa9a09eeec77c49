// Long short-term memories.
import { add, div, equal, exp, logsigmoid, maximum, mul, sigmoid, sub, tanh, where } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';

/** Hochreiter and Schmidhuber, "Long short-term memory", 1997, with forget gate (Gers et al. 2000); PyTorch's nn.LSTM. */
export const lstm: Cell = /* @__PURE__ */ defineCell({
  name: 'lstm',
  gates: ['i', 'f', 'g', 'o'],
  states: ['h', 'c'],
  update: ({ i, f, g, o }, { c }) => {
    const next = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
    return { c: next, h: mul(sigmoid(o), tanh(next)) };
  },
});

/** LSTM with coupled input and forget gates, f = 1 - i: "CIFG" of Greff et al., "LSTM: a search space odyssey", 2017. */
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

/**
 * LSTM whose gates read the cell state (peepholes): Gers, Schraudolph and Schmidhuber, "Learning precise timing with LSTM
 * recurrent networks", JMLR 2002. The output gate reads the new cell state.
 */
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

/**
 * LSTM with a projected h: Sak, Senior and Beaufays, "Long short-term memory recurrent neural network architectures for
 * large scale acoustic modeling", 2014; PyTorch's nn.LSTM with proj_size.
 */
export const lstmProjected: Cell = /* @__PURE__ */ defineCell({
  name: 'lstm_projected',
  gates: ['i', 'f', 'g', 'o'],
  states: ['h', 'c'],
  projects: true,
  update: ({ i, f, g, o }, { c }, { project }) => {
    const next = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
    return { c: next, h: project(mul(sigmoid(o), tanh(next))) };
  },
});

/** Its exponential is 0 in float32. */
const NOTHING = -1000;

/**
 * The scalar LSTM of Beck et al., "xLSTM: extended long short-term memory", 2024, equations 8 to 17: exponential input
 * gate, sigmoid forget gate, normaliser n, and the stabiliser m, with which no exponential is above 1.
 */
export const slstm: Cell = /* @__PURE__ */ defineCell({
  name: 'slstm',
  gates: ['i', 'f', 'z', 'o'],
  states: ['h', 'c', 'n', 'm'],
  update: ({ i, f, z, o }, { c, n, m }) => {
    // n is 0 before the first step. The stabiliser is then i alone: with m = 0, exp(i - m) could underflow, and h be 0 / 0.
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
