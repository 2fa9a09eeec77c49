// An LSTM, three ways, and what each costs.
//
//   i = σ(W_i·[x, h] + b_i)      f = σ(W_f·[x, h] + b_f)
//   g = tanh(W_g·[x, h] + b_g)   o = σ(W_o·[x, h] + b_o)
//   c' = f∘c + i∘g               h' = o∘tanh(c')
//
// First as it is written: four linear layers, each on [x, h]. Then as one linear layer, four times as wide, cut in
// four: the same numbers, with one large product in the place of four small ones. Last the built-in layer, which
// prepares first (it packs its weights, and multiplies the inputs of all steps at once) and then needs one kernel a
// step. A GPU pays for every kernel it is sent, so the dispatches of the plans are counted, for one step and for a
// sequence.
import { countDispatches, type Plan } from '../../src/tools/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  add,
  concat,
  Linear,
  LSTM,
  mul,
  parseSafetensors,
  reshape,
  sigmoid,
  slice,
  chunk,
  tanh,
  type Runtime,
  type Tensor,
  type Value,
} from '../../src/index.ts';
import { main } from './support/main.ts';

const BATCH = 3;
const INPUTS = 5;
const HIDDEN = 4;
const STEPS = 32;

/** h and c, each (BATCH, HIDDEN). */
interface States {
  readonly h: Value;
  readonly c: Value;
}
interface LinearWeights {
  readonly weight: Value;
  readonly bias: Value;
}

/** The part that is the same both times: from the four pre-activations to the new states. */
function update([i, f, g, o]: readonly Value[], c: Value): States {
  const next = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
  return { h: mul(sigmoid(o), tanh(next)), c: next };
}

/** A cell written by hand, step by step over x (T, BATCH, INPUTS). */
function overTime(x: Value, initial: States, cell: (xh: Value, c: Value) => States): States {
  let states = initial;
  for (let t = 0; t < x.shape[0]; t++) {
    const x_t = reshape(slice(x, 0, t, t + 1), [BATCH, INPUTS]);
    states = cell(concat([x_t, states.h], 1), states.c);
  }
  return states;
}

/** Four linear layers on [x, h]. */
function separate(x: Value, states: States, layers: readonly LinearWeights[]): States {
  const linear = new Linear({ inputSize: INPUTS + HIDDEN, outputSize: HIDDEN });
  return overTime(x, states, (xh, c) =>
    update(
      layers.map(({ weight, bias }) => linear.forward(xh, { weight, bias }).output),
      c,
    ),
  );
}

/** One linear layer on [x, h], cut in four. */
function fused(x: Value, states: States, { weight, bias }: LinearWeights): States {
  const linear = new Linear({ inputSize: INPUTS + HIDDEN, outputSize: 4 * HIDDEN });
  return overTime(x, states, (xh, c) => update(chunk(linear.forward(xh, { weight, bias }).output, 4, -1), c));
}

const lstm = new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN });

/** The layer of the library. Its states have an axis more, for stacked layers. */
function builtIn(x: Value, { h, c }: States, parameters: Readonly<Record<string, Value>>): States {
  const one = (state: Value): Value => reshape(state, [1, BATCH, HIDDEN]);
  const { states } = lstm.forward(x, parameters, { h: one(h), c: one(c) });
  return { h: reshape(states['h'], [BATCH, HIDDEN]), c: reshape(states['c'], [BATCH, HIDDEN]) };
}

/** The same weights for each way, drawn as the layer draws them. */
async function sameWeights(runtime: Runtime) {
  const net = await runtime.load(lstm, { seed: 1 });
  const { tensors } = parseSafetensors(await net.save());
  const data = (name: string): number[] => Array.from(tensors.get(name)?.data ?? []);
  const row = (list: readonly number[], i: number, width: number): number[] =>
    list.slice(i * width, (i + 1) * width);

  // The layer keeps the columns for x and for h apart and has two biases; a layer on [x, h] has them side by side,
  // and one bias.
  const rows = Array.from({ length: 4 * HIDDEN }, (_, i) => i);
  const weight = rows.map((i) => [
    ...row(data('weight_ih_l0'), i, INPUTS),
    ...row(data('weight_hh_l0'), i, HIDDEN),
  ]);
  const bias = rows.map((i) => data('bias_ih_l0')[i] + data('bias_hh_l0')[i]);
  const gate = <T>(list: readonly T[], g: number): T[] => list.slice(g * HIDDEN, (g + 1) * HIDDEN);
  return {
    separate: [0, 1, 2, 3].map((g) => ({ weight: gate(weight, g), bias: gate(bias, g) })),
    fused: { weight, bias },
    builtIn: Object.fromEntries(
      lstm.parameters.map(({ name, shape }) => [name, runtime.tensor(data(name), { shape })]),
    ),
  };
}

/** Numbers that are not all alike. */
const wave = (rows: number, columns: number, phase: number): number[][] =>
  Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, i) => Math.sin(phase + 2.3 * r + 0.9 * i)),
  );

export interface Way {
  /** After the last step. */
  readonly h: number[];
  readonly c: number[];
  readonly dispatches: number;
}

/** The last states of each way of writing the cell, over `steps` steps, and how many kernels it launches. */
export async function lstmByHand(
  runtime: Runtime,
  steps: number,
): Promise<{ separate: Way; fused: Way; builtIn: Way }> {
  const weights = await sameWeights(runtime);
  const x = Array.from({ length: steps }, (_, t) => wave(BATCH, INPUTS, 0.7 * t));
  const states = { h: wave(BATCH, HIDDEN, 1), c: wave(BATCH, HIDDEN, 2) };
  const ways = {
    separate: runtime.compile(separate),
    fused: runtime.compile(fused),
    builtIn: runtime.compile(builtIn),
  };
  return {
    separate: await read(
      ways.separate(x, states, weights.separate),
      tools.plan(ways.separate, x, states, weights.separate),
    ),
    fused: await read(ways.fused(x, states, weights.fused), tools.plan(ways.fused, x, states, weights.fused)),
    builtIn: await read(
      ways.builtIn(x, states, weights.builtIn),
      tools.plan(ways.builtIn, x, states, weights.builtIn),
    ),
  };
}

async function read({ h, c }: { readonly h: Tensor; readonly c: Tensor }, plan: Plan): Promise<Way> {
  // The CPU runs each step of a plan at once.
  const launches = h.backend.kind === 'cpu' ? () => 1 : countDispatches;
  const dispatches = plan.steps
    .filter(({ memoised }) => !memoised)
    .reduce((count, step) => count + launches(step), 0);
  return { h: Array.from(await h.read()), c: Array.from(await c.read()), dispatches };
}

/** The largest difference of two ways' states. */
export function difference(a: Way, b: Way): number {
  const other = [...b.h, ...b.c];
  return Math.max(...[...a.h, ...a.c].map((value, i) => Math.abs(value - other[i])));
}

await main(import.meta.url, async (runtime) => {
  for (const steps of [1, STEPS]) {
    const { separate, fused, builtIn } = await lstmByHand(runtime, steps);
    const off = (way: Way): string => `off by ${difference(way, builtIn).toExponential(1)}`;
    const count = (way: Way): string => `${String(way.dispatches).padStart(4)} dispatches`;
    console.log(steps === 1 ? 'One step' : `${steps} steps`);
    console.log(`  four linear layers         ${count(separate)}, ${off(separate)}`);
    console.log(`  one linear layer, cut in 4 ${count(fused)}, ${off(fused)}`);
    console.log(`  the built-in layer         ${count(builtIn)}`);
  }
});
