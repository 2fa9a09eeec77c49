// Layer normalisation within a cell: Ba, Kiros and Hinton, "Layer normalization", 2016.
import { add, div, mul, sigmoid, sqrt, square, sub, tanh, type Arith } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { apart } from './declaration.ts';

const EPS = 1e-5;

/**
 * Normalises values of one row, each with a number per unit, to mean 0 and variance 1 over all their units together.
 * @param mean The cell's mean over units.
 */
export function normalise<T extends Arith<T>>(mean: (x: T) => T, values: readonly T[]): T[] {
  const average = (list: readonly T[]): T =>
    mean(
      mul(
        list.reduce((a, b) => add(a, b)),
        1 / list.length,
      ),
    );
  const middle = average(values);
  const deviations = values.map((value) => sub(value, middle));
  const variance = average(deviations.map((deviation) => square(deviation)));
  return deviations.map((deviation) => div(deviation, sqrt(add(variance, EPS))));
}

/**
 * Layer-normalised LSTM: Ba, Kiros and Hinton, "Layer normalization", 2016, equations 20 to 22 of the supplement. The
 * input parts of all four gates are normalised together, so are their recurrent parts, and the new cell state by itself. The
 * layer's own biases are added before the normalisation; the paper's cell has none (`bias: false`).
 */
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

/**
 * Layer-normalised GRU: Ba, Kiros and Hinton, "Layer normalization", 2016, the supplement's equations for skip-thoughts.
 * Input parts and recurrent parts are normalised separately: those of r and z together, that of n by itself. As in the paper, z
 * weighs the candidate. The layer's own biases are added before the normalisation; the paper's cell has none (`bias: false`).
 */
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
