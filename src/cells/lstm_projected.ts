// LSTM with a projected h: Sak, Senior and Beaufays, "Long short-term memory recurrent neural network architectures for
// large scale acoustic modeling", 2014; PyTorch's nn.LSTM with proj_size.
import { add, mul, sigmoid, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';

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
