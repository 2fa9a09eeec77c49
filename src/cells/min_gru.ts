// Feng et al., "Were RNNs all we needed?", 2024: a GRU whose gates see the input alone. Layers run it as a
// parallel scan over time.
import { add, mul, sigmoid, sub } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { inputOnly } from './declaration.ts';

export const minGRU: Cell = /* @__PURE__ */ defineCell({
  name: 'min_gru',
  gates: [inputOnly('z'), inputOnly('n')],
  states: ['h'],
  update: ({ z, n }, { h }) => {
    const take = sigmoid(z);
    return { h: add(mul(sub(1, take), h), mul(take, n)) };
  },
});
