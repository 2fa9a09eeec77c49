// One gate for both: Zhou et al., "Minimal gated unit for recurrent neural networks", 2016.
import { add, mul, sigmoid, sub, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { late } from './declaration.ts';

export const minimalGatedUnit: Cell = /* @__PURE__ */ defineCell({
  name: 'minimal_gated_unit',
  gates: ['f', late('n')],
  states: ['h'],
  update: ({ f, n }, { h }) => {
    const forget = sigmoid(f);
    const candidate = tanh(n(mul(forget, h)));
    return { h: add(mul(sub(1, forget), h), mul(forget, candidate)) };
  },
});
