// Feng et al., "Were RNNs all we needed?", 2024: an LSTM whose gates see the input alone and sum to 1. As a loop over
// time; layers run it as a parallel scan.
import { add, logsigmoid, mul, neg, sigmoid, sub } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { inputOnly } from './declaration.ts';

export const minLSTM: Cell = /* @__PURE__ */ defineCell({
  name: 'min_lstm',
  gates: [inputOnly('f'), inputOnly('i'), inputOnly('n')],
  states: ['h'],
  update: ({ f, i, n }, { h }) => {
    // σ(f) / (σ(f) + σ(i)), which is finite where both underflow.
    const ratio = sub(logsigmoid(f), logsigmoid(i));
    return { h: add(mul(sigmoid(ratio), h), mul(sigmoid(neg(ratio)), n)) };
  },
});
