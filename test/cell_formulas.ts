// The papers' equations in plain numbers, unit by unit, and a layer made of them: the reference of all cells.
import type { Named, Numbers } from './layer_run.ts';
import type { Recurrent } from '../src/nn/recurrent.ts';

type Vector = readonly number[];

/** One step of one row. */
export interface Step {
  /** `W_ih x + b_ih` of a gate, by its number. */
  readonly x: (gate: number) => Vector;
  /** `W_hh v + b_hh` of a recurrent part, by its number. */
  readonly r: (part: number, v: Vector) => Vector;
  readonly project: (v: Vector) => Vector;
  /** States before the step, and weights of one number per unit. */
  readonly s: Readonly<Record<string, Vector>>;
  readonly w: Readonly<Record<string, Vector>>;
  readonly units: number;
}
export type Formula = (step: Step) => Readonly<Record<string, Vector>>;

const σ = (x: number): number => 1 / (1 + Math.exp(-x));
const { tanh, exp, log, sqrt, max } = Math;
const vector = (units: number, of: (unit: number) => number): number[] =>
  Array.from({ length: units }, (_, unit) => of(unit));
const sums = (a: Vector, b: Vector): number[] => a.map((x, i) => x + b[i]);

/** The numbers normalised to mean 0 and variance 1 over all groups. */
function normal(groups: readonly Vector[]): number[][] {
  const all = groups.flat();
  const mean = all.reduce((a, b) => a + b, 0) / all.length;
  const variance = all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length;
  return groups.map((group) => group.map((x) => (x - mean) / sqrt(variance + 1e-5)));
}

/** LSTM of four pre-activations i, f, g, o: c' = σ(f) c + σ(i) tanh(g), m = σ(o) tanh(c'). */
function memory([i, f, g, o]: readonly Vector[], c: Vector): { m: number[]; c: number[] } {
  const next = c.map((old, u) => σ(f[u]) * old + σ(i[u]) * tanh(g[u]));
  return { c: next, m: next.map((now, u) => σ(o[u]) * tanh(now)) };
}
const four = ({ x, r, s }: Step): number[][] => [0, 1, 2, 3].map((gate) => sums(x(gate), r(gate, s['h'])));

export const formulas: Readonly<Record<string, Formula>> = {
  elman_tanh: ({ x, r, s }) => ({ h: sums(x(0), r(0, s['h'])).map(tanh) }),
  elman_relu: ({ x, r, s }) => ({ h: sums(x(0), r(0, s['h'])).map((a) => max(a, 0)) }),
  lstm: (step) => {
    const { m, c } = memory(four(step), step.s['c']);
    return { h: m, c };
  },
  gru: ({ x, r, s: { h } }) => {
    const reset = sums(x(0), r(0, h)).map(σ);
    const z = sums(x(1), r(1, h)).map(σ);
    const [xn, hn] = [x(2), r(2, h)];
    return { h: h.map((old, u) => (1 - z[u]) * tanh(xn[u] + reset[u] * hn[u]) + z[u] * old) };
  },
  gru_reset_before: ({ x, r, s: { h } }) => {
    const reset = sums(x(0), r(0, h)).map(σ);
    const z = sums(x(1), r(1, h)).map(σ);
    const hn = r(
      2,
      h.map((old, u) => reset[u] * old),
    );
    const xn = x(2);
    return { h: h.map((old, u) => (1 - z[u]) * tanh(xn[u] + hn[u]) + z[u] * old) };
  },
  lstm_peephole: (step) => {
    const {
      s: { c },
      w,
    } = step;
    const [i, f, g, o] = four(step);
    const next = c.map((old, u) => {
      const [input, forget] = [σ(i[u] + w['weight_ci'][u] * old), σ(f[u] + w['weight_cf'][u] * old)];
      return forget * old + input * tanh(g[u]);
    });
    return { c: next, h: next.map((now, u) => σ(o[u] + w['weight_co'][u] * now) * tanh(now)) };
  },
  lstm_coupled: ({ x, r, s: { h, c } }) => {
    const [i, g, o] = [0, 1, 2].map((gate) => sums(x(gate), r(gate, h)));
    const next = c.map((old, u) => (1 - σ(i[u])) * old + σ(i[u]) * tanh(g[u]));
    return { c: next, h: next.map((now, u) => σ(o[u]) * tanh(now)) };
  },
  lstm_projected: (step) => {
    const { m, c } = memory(four(step), step.s['c']);
    return { h: step.project(m), c };
  },
  minimal_gated_unit: ({ x, r, s: { h } }) => {
    const f = sums(x(0), r(0, h)).map(σ);
    const recurrent = r(
      1,
      h.map((old, u) => f[u] * old),
    );
    const candidate = sums(x(1), recurrent).map(tanh);
    return { h: h.map((old, u) => (1 - f[u]) * old + f[u] * candidate[u]) };
  },
  lstm_layer_norm: ({ x, r, s: { h, c }, w, units }) => {
    const xs = normal([0, 1, 2, 3].map((gate) => x(gate)));
    const hs = normal([0, 1, 2, 3].map((gate) => r(gate, h)));
    const names = ['i', 'f', 'g', 'o'];
    const [i, f, g, o] = names.map((n, gate) =>
      vector(
        units,
        (u) => w[`gain_i${n}`][u] * xs[gate][u] + w[`gain_h${n}`][u] * hs[gate][u] + w[`shift_${n}`][u],
      ),
    );
    const next = c.map((old, u) => σ(f[u]) * old + σ(i[u]) * tanh(g[u]));
    const [normed] = normal([next]);
    return {
      c: next,
      h: normed.map((n, u) => σ(o[u]) * tanh(w['gain_c'][u] * n + w['shift_c'][u])),
    };
  },
  gru_layer_norm: ({ x, r, s: { h }, w, units }) => {
    const xs = normal([x(0), x(1)]);
    const hs = normal([r(0, h), r(1, h)]);
    const [xn] = normal([x(2)]);
    const [hn] = normal([r(2, h)]);
    const gate = (name: string, n: number): number[] =>
      vector(units, (u) =>
        σ(w[`gain_i${name}`][u] * xs[n][u] + w[`gain_h${name}`][u] * hs[n][u] + w[`shift_${name}`][u]),
      );
    const [reset, take] = [gate('r', 0), gate('z', 1)];
    const candidate = vector(units, (u) => {
      const recurrent = w['gain_hn'][u] * hn[u] + w['shift_hn'][u];
      return tanh(w['gain_in'][u] * xn[u] + w['shift_in'][u] + reset[u] * recurrent);
    });
    return { h: h.map((old, u) => (1 - take[u]) * old + take[u] * candidate[u]) };
  },
  indrnn: ({ x, s: { h }, w }) => ({ h: x(0).map((a, u) => max(0, a + w['weight_u'][u] * h[u])) }),
  // Computed without the stabiliser: the states c and n are multiplied by e^m first, and divided by the new e^m last.
  slstm: (step) => {
    const { h: _, c, n, m } = step.s;
    const [i, f, z, o] = four(step);
    const cell = c.map((old, u) => σ(f[u]) * old * exp(m[u]) + exp(i[u]) * tanh(z[u]));
    const normaliser = n.map((old, u) => σ(f[u]) * old * exp(m[u]) + exp(i[u]));
    // From a zero state (n = 0) the stabiliser is the pre-activation of the input gate.
    const next = m.map((old, u) => (n[u] === 0 ? i[u] : max(log(σ(f[u])) + old, i[u])));
    return {
      h: cell.map((now, u) => (σ(o[u]) * now) / normaliser[u]),
      c: cell.map((now, u) => now / exp(next[u])),
      n: normaliser.map((now, u) => now / exp(next[u])),
      m: next,
    };
  },
  min_gru: ({ x, s: { h } }) => {
    const [z, n] = [x(0).map(σ), x(1)];
    return { h: h.map((old, u) => (1 - z[u]) * old + z[u] * n[u]) };
  },
  min_lstm: ({ x, s: { h } }) => {
    const [f, i, n] = [x(0).map(σ), x(1).map(σ), x(2)];
    return { h: h.map((old, u) => (f[u] * old + i[u] * n[u]) / (f[u] + i[u])) };
  },
};

/** A row at a step is active, or masked with its states carried over, or past the end with an output of 0. */
export type Counts = (time: number, row: number) => 'yes' | 'carried' | 'past';

/**
 * All layers and directions of a cell by its formula, step by step.
 * @param x (T, B, I).
 * @returns the output (T, B, D·W), and the final states (L·D, B, W) by name.
 */
export function runFormula(
  layer: Recurrent,
  formula: Formula,
  x: Numbers,
  parameters: Named,
  states: Named = {},
  counts: Counts = () => 'yes',
): { output: Float64Array; finals: Readonly<Record<string, Float64Array>> } {
  const [steps, batch] = x.shape;
  const { hiddenSize: units, outputSize, numLayers, bidirectional, cell } = layer;
  const directions = bidirectional ? 2 : 1;
  const widthOf = (state: string): number => (state === 'h' ? outputSize : units);
  const finals = Object.fromEntries(
    cell.states.map((state) => [
      state,
      Float64Array.from(
        states[state]?.data ?? new Float64Array(numLayers * directions * batch * widthOf(state)),
      ),
    ]),
  );
  /** A matrix times a vector, plus the bias where there is one. */
  const affine = (weight: string, bias: string, first: number, count: number, v: Vector): number[] =>
    vector(count, (row) => {
      const { data, shape } = parameters[weight];
      let total = parameters[bias]?.data[first + row] ?? 0;
      for (let k = 0; k < shape[1]; k++) total += data[(first + row) * shape[1] + k] * v[k];
      return total;
    });
  let sequence: Vector[][] = Array.from({ length: steps }, (_, t) =>
    Array.from({ length: batch }, (_, b) => {
      const width = x.shape[2];
      return Array.from(x.data.subarray((t * batch + b) * width, (t * batch + b + 1) * width));
    }),
  );
  for (let l = 0; l < numLayers; l++) {
    const output = sequence.map((rows) => rows.map(() => vector(directions * outputSize, () => 0)));
    for (let d = 0; d < directions; d++) {
      const suffix = `_l${l}${d === 1 ? '_reverse' : ''}`;
      const name = (parameter: string): string => parameter + suffix;
      const w = Object.fromEntries(
        cell.weights.map((weight) => [weight.name, [...parameters[name(weight.name)].data]]),
      );
      for (let b = 0; b < batch; b++) {
        const at = (state: string): number => ((l * directions + d) * batch + b) * widthOf(state);
        let now: Readonly<Record<string, Vector>> = Object.fromEntries(
          cell.states.map((state) => [
            state,
            Array.from(finals[state].subarray(at(state), at(state) + widthOf(state))),
          ]),
        );
        for (let n = 0; n < steps; n++) {
          const t = d === 0 ? n : steps - 1 - n;
          const count = counts(t, b);
          if (count === 'yes') {
            now = formula({
              x: (gate) => affine(name('weight_ih'), name('bias_ih'), gate * units, units, sequence[t][b]),
              r: (part, v) => affine(name('weight_hh'), name('bias_hh'), part * units, units, v),
              project: (v) => affine(name('weight_hr'), '', 0, outputSize, v),
              s: now,
              w,
              units,
            });
          }
          if (count !== 'past')
            now['h'].forEach((value, unit) => (output[t][b][d * outputSize + unit] = value));
        }
        for (const state of cell.states) finals[state].set(now[state], at(state));
      }
    }
    sequence = output;
  }
  return { output: Float64Array.from(sequence.flat(2)), finals };
}
