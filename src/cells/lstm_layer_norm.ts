// Layer-normalised LSTM: Ba, Kiros and Hinton, "Layer normalization", 2016, equations 20 to 22 of the supplement. The
// input part and the recurrent part of all four gates are normalised together, the new cell state by itself. The layer's
// own biases lie within the normalisation; `bias: false` is the paper's cell.
import { add, mul, sigmoid, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { apart } from './declaration.ts';
import { normalise } from './layer_norm.ts';

export const lstmLayerNorm: Cell = /* @__PURE__ */ defineCell({
  name: 'lstm_layer_norm',
  gates: [apart('i'), apart('f'), apart('g'), apart('o')],
  states: ['h', 'c'],
  weights: {
    gain_ii: 1,
    gain_if: 1,
    gain_ig: 1,
    gain_io: 1,
    gain_hi: 1,
    gain_hf: 1,
    gain_hg: 1,
    gain_ho: 1,
    shift_i: 0,
    shift_f: 0,
    shift_g: 0,
    shift_o: 0,
    gain_c: 1,
    shift_c: 0,
  },
  update: (gates, { c }, { mean, gain_c, shift_c, ...w }) => {
    const { i, f, g, o } = gates;
    const x = normalise(mean, [i.input, f.input, g.input, o.input]);
    const h = normalise(mean, [i.recurrent, f.recurrent, g.recurrent, o.recurrent]);
    const gate = (n: number, gainX: typeof c, gainH: typeof c, shift: typeof c): typeof c =>
      add(add(mul(gainX, x[n]), mul(gainH, h[n])), shift);
    const input = sigmoid(gate(0, w.gain_ii, w.gain_hi, w.shift_i));
    const forget = sigmoid(gate(1, w.gain_if, w.gain_hf, w.shift_f));
    const candidate = tanh(gate(2, w.gain_ig, w.gain_hg, w.shift_g));
    const next = add(mul(forget, c), mul(input, candidate));
    const [normal] = normalise(mean, [next]);
    const output = sigmoid(gate(3, w.gain_io, w.gain_ho, w.shift_o));
    return { c: next, h: mul(output, tanh(add(mul(gain_c, normal), shift_c))) };
  },
});
