// Feng et al., "Were RNNs all we needed?", 2024: cells whose gates read only the input. The layers MinGRU and MinLSTM run them as
// a parallel scan over time.
import { add, logsigmoid, mul, neg, sigmoid, sub } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { inputOnly } from './declaration.ts';

/** A GRU whose gates read only the input. */
export const minGRU: Cell = /* @__PURE__ */ defineCell({
  name: 'min_gru',
  gates: [inputOnly('z'), inputOnly('n')],
  states: ['h'],
  update: ({ z, n }, { h }) => {
    const take = sigmoid(z);
    return { h: add(mul(sub(1, take), h), mul(take, n)) };
  },
});

/** An LSTM whose gates read only the input; f and i are normalised to sum to 1. */
export const minLSTM: Cell = /* @__PURE__ */ defineCell({
  name: 'min_lstm',
  gates: [inputOnly('f'), inputOnly('i'), inputOnly('n')],
  states: ['h'],
  update: ({ f, i, n }, { h }) => {
    // The normalised f, σ(f) / (σ(f) + σ(i)), is σ(ratio), finite even if both sigmoids underflow.
    const ratio = sub(logsigmoid(f), logsigmoid(i));
    return { h: add(mul(sigmoid(ratio), h), mul(sigmoid(neg(ratio)), n)) };
  },
});
