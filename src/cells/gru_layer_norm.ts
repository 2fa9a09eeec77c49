// Layer-normalised GRU: Ba, Kiros and Hinton, "Layer normalization", 2016, the supplement's equations for skip-thoughts.
// r and z are normalised together, the candidate by itself, input part and recurrent part apart. z is the share of the
// candidate, as the paper has it. The layer's own biases lie within the normalisation; `bias: false` is the paper's cell.
import { add, mul, sigmoid, sub, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { apart } from './declaration.ts';
import { normalise } from './layer_norm.ts';

export const gruLayerNorm: Cell = /* @__PURE__ */ defineCell({
  name: 'gru_layer_norm',
  gates: [apart('r'), apart('z'), apart('n')],
  states: ['h'],
  weights: {
    gain_ir: 1,
    gain_iz: 1,
    gain_in: 1,
    gain_hr: 1,
    gain_hz: 1,
    gain_hn: 1,
    shift_r: 0,
    shift_z: 0,
    shift_in: 0,
    shift_hn: 0,
  },
  update: ({ r, z, n }, { h }, { mean, ...w }) => {
    const [xr, xz] = normalise(mean, [r.input, z.input]);
    const [hr, hz] = normalise(mean, [r.recurrent, z.recurrent]);
    const [xn] = normalise(mean, [n.input]);
    const [hn] = normalise(mean, [n.recurrent]);
    const reset = sigmoid(add(add(mul(w.gain_ir, xr), mul(w.gain_hr, hr)), w.shift_r));
    const take = sigmoid(add(add(mul(w.gain_iz, xz), mul(w.gain_hz, hz)), w.shift_z));
    const recurrent = add(mul(w.gain_hn, hn), w.shift_hn);
    const candidate = tanh(add(add(mul(w.gain_in, xn), w.shift_in), mul(reset, recurrent)));
    return { h: add(mul(sub(1, take), h), mul(take, candidate)) };
  },
});
