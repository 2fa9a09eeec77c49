// Gated recurrent units.
import { add, mul, sigmoid, sub, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { apart, late } from './declaration.ts';

/**
 * Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with the reset applied after the
 * recurrent product; PyTorch's nn.GRU.
 */
export const gru: Cell = /* @__PURE__ */ defineCell({
  name: 'gru',
  gates: ['r', 'z', apart('n')],
  states: ['h'],
  update: ({ r, z, n }, { h }) => {
    const candidate = tanh(add(n.input, mul(sigmoid(r), n.recurrent)));
    const keep = sigmoid(z);
    return { h: add(mul(sub(1, keep), candidate), mul(keep, h)) };
  },
});

/**
 * Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014: the reset is applied to h before the
 * recurrent product. ONNX's linear_before_reset = 0, Keras's reset_after = False.
 */
export const gruResetBefore: Cell = /* @__PURE__ */ defineCell({
  name: 'gru_reset_before',
  gates: ['r', 'z', late('n')],
  states: ['h'],
  update: ({ r, z, n }, { h }) => {
    const keep = sigmoid(z);
    const candidate = tanh(n(mul(sigmoid(r), h)));
    return { h: add(mul(sub(1, keep), candidate), mul(keep, h)) };
  },
});

/** One gate f for reset and update: Zhou et al., "Minimal gated unit for recurrent neural networks", 2016. */
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
