// The linear scan, and MinGRU and MinLSTM, against loops in float64 written from the papers' formulas: directions,
// states, masks, lengths, streams, gradients and training.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Random } from '../../src/core/random.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { adam, grad, mse, valueAndGrad, Trainer } from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  add,
  createRuntime,
  Linear,
  linearScan,
  MinGRU,
  MinLSTM,
  mul,
  parseSafetensors,
  Sequential,
  serializeSafetensors,
  square,
  sum,
  type Context,
  type ErrorCode,
  type Layer,
  type MinRNN,
  type MinRNNOptions,
  type Net,
  type Runtime,
  type Shape,
  type Tensor,
  type Value,
} from '../../src/index.ts';
import { GPU_DEVICE, SOFTWARE_DEVICE } from '../../src/backend/webgpu/device_info.ts';
import { Launcher } from '../../src/backend/webgpu/launches.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { failure } from '../failure.ts';
import { backend, on } from '../setup/backend.ts';

const kinds = ['MinGRU', 'MinLSTM'] as const;
type Kind = (typeof kinds)[number];
const make = (kind: Kind, options: MinRNNOptions): MinRNN =>
  kind === 'MinGRU' ? new MinGRU(options) : new MinLSTM(options);

const STEPS = 6;
const BATCH = 3;
const INPUTS = 4;
const HIDDEN = 5;
const SIZES = { inputSize: INPUTS, hiddenSize: HIDDEN } as const;

function numbers(seed: number, count: number, low = -1, high = 1): Float32Array {
  const random = new Random(seed, 41);
  return Float32Array.from({ length: count }, () => random.uniform(low, high));
}

function expectClose(got: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(got.length).toBe(expected.length);
  const wrong = Array.from(expected, (value, i) => [i, got[i], value]).filter(
    ([, a, b]) => !(Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b))),
  );
  expect(wrong.slice(0, 5)).toEqual([]);
}

/** h_t = a_t h_{t-1} + b_t for each column. */
function loop(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  columns: number,
  reverse: boolean,
  initial?: ArrayLike<number>,
): Float64Array {
  const steps = a.length / columns;
  const h = new Float64Array(a.length);
  for (let column = 0; column < columns; column++) {
    let state = initial === undefined ? 0 : initial[column];
    for (let i = 0; i < steps; i++) {
      const at = (reverse ? steps - 1 - i : i) * columns + column;
      state = a[at] * state + b[at];
      h[at] = state;
    }
  }
  return h;
}

const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
/** The next h from the products of the gates: Feng et al. 2024, algorithms 5 and 7 without logarithms. */
const cells: Record<Kind, (h: number, products: readonly number[]) => number> = {
  MinGRU: (h, [z, candidate]) => (1 - sigma(z)) * h + sigma(z) * candidate,
  MinLSTM: (h, [f, i, candidate]) => {
    const whole = sigma(f) + sigma(i);
    return (sigma(f) / whole) * h + (sigma(i) / whole) * candidate;
  },
};

type Weights = Readonly<Record<string, Float32Array>>;
/** One sequence: a row of features for each step. */
type Sequence = readonly (readonly number[])[];

/** The output of a layer for one sequence without padding. */
function formulas(
  kind: Kind,
  { numLayers = 1, bidirectional = false, hiddenSize }: MinRNNOptions,
  weights: Weights,
  sequence: Sequence,
  initial: readonly (readonly number[])[] = [],
): { output: Sequence; states: number[][] } {
  const gates = kind === 'MinGRU' ? 2 : 3;
  const states: number[][] = [];
  let input = sequence;
  for (let layer = 0; layer < numLayers; layer++) {
    const directions = (bidirectional ? ['', '_reverse'] : ['']).map((suffix) => {
      const weight = weights[`weight_ih_l${layer}${suffix}`];
      const bias = weights[`bias_ih_l${layer}${suffix}`];
      let h = initial[states.length] ?? Array.from({ length: hiddenSize }, () => 0);
      const outputs: number[][] = [];
      for (const row of suffix === '' ? input : input.toReversed()) {
        h = h.map((old, unit) => {
          const products = Array.from({ length: gates }, (_, gate) => {
            const r = gate * hiddenSize + unit;
            return row.reduce((total, x, k) => total + x * weight[r * row.length + k], bias?.[r] ?? 0);
          });
          return cells[kind](old, products);
        });
        outputs.push(h as number[]);
      }
      states.push(h as number[]);
      return suffix === '' ? outputs : outputs.reverse();
    });
    input = input.map((_, t) => directions.flatMap((outputs) => outputs[t]));
  }
  return { output: input, states };
}

async function weightsOf(net: Net): Promise<Weights> {
  const { tensors } = parseSafetensors(await net.save());
  return Object.fromEntries([...tensors].map(([name, { data }]) => [name, Float32Array.from(data)]));
}

/** The steps of row `row` in (T, B, I). */
const sequenceOf = (data: ArrayLike<number>, row: number, steps = STEPS, batch = BATCH): number[][] =>
  Array.from({ length: steps }, (_, t) => {
    const width = data.length / (steps * batch);
    return Array.from({ length: width }, (_, k) => data[(t * batch + row) * width + k]);
  });

/** (T, B, I) as (B, T, I), or back. */
function swapAxes(data: ArrayLike<number>, first: number, second: number): Float32Array {
  const width = data.length / (first * second);
  return Float32Array.from(data, (_, i) => {
    const [a, b] = [Math.floor(i / (first * width)), Math.floor(i / width) % first];
    return data[(b * second + a) * width + (i % width)];
  });
}

const dispatchCount = (plan: Plan, target = GPU_DEVICE): number =>
  plan.steps.flatMap((step) => new Launcher(target).dispatchesOf(step)).length;

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  describe('linearScan', () => {
    const shapes: Shape[] = [
      [1, 2, 3],
      [2, 1, 1],
      [3, 3, 5],
      [7, 1, 9],
      [64, 1, 3],
      [129, 5, 13],
      [1000, 1, 1],
      [1000, 3, 5],
    ];
    const cases = shapes.flatMap((shape) =>
      [false, true].map(
        (reverse) => [shape.join('×'), reverse ? 'reversed' : 'forward', shape, reverse] as const,
      ),
    );

    test.each(cases)('of %s, %s, equals the loop', async (_name, _direction, shape, reverse) => {
      const [, batch, hidden] = shape;
      const run = runtime.compile((a: Value, b: Value, initial: Value) => [
        linearScan(a, b, { reverse }),
        linearScan(a, b, { reverse, initial }),
      ]);
      // Some factors are 0 and some are 1.
      const a = numbers(1, sizeOf(shape), -1.2, 1.2).map((x) => Math.min(1, Math.abs(x) < 0.1 ? 0 : x));
      const b = numbers(2, sizeOf(shape));
      const initial = numbers(3, batch * hidden);
      const tensors = run(
        runtime.tensor(a, { shape }),
        runtime.tensor(b, { shape }),
        runtime.tensor(initial, { shape: [batch, hidden] }),
      );
      expect(tensors.map((tensor) => tensor.shape)).toEqual([shape, shape]);
      const [fromZero, fromState] = await Promise.all(tensors.map((tensor) => tensor.read()));
      expectClose(fromZero, loop(a, b, batch * hidden, reverse));
      expectClose(fromState, loop(a, b, batch * hidden, reverse, initial));
    });

    test('is the running sum where every factor is 1, and b where every factor is 0', async () => {
      const run = runtime.compile((a: Value, b: Value) => linearScan(a, b));
      const shape = [300, 1, 3];
      const b = Float32Array.from({ length: 900 }, (_, i) => i % 7);
      const [ones, none] = [1, 0].map((x) => runtime.tensor(new Float32Array(900).fill(x), { shape }));
      const summed = loop(new Float32Array(900).fill(1), b, 3, false);
      expect(await run(ones, runtime.tensor(b, { shape })).read()).toEqual(Float32Array.from(summed));
      expect(await run(none, runtime.tensor(b, { shape })).read()).toEqual(b);
    });

    test('has the gradient of a reversed scan', async () => {
      const [steps, columns] = [200, 3];
      const shape = [steps, 1, columns];
      const run = runtime.compile(
        grad(([a, b, initial]: Value[], d: Value) => sum(mul(linearScan(a, b, { initial }), d))),
      );
      const [a, b, d] = [4, 5, 6].map((seed) => numbers(seed, steps * columns));
      const initial = numbers(7, columns);
      const tensor = (data: Float32Array): Tensor => runtime.tensor(data, { shape });
      const state = runtime.tensor(initial, { shape: [1, columns] });
      const got = await Promise.all(run([tensor(a), tensor(b), state], tensor(d)).map((x) => x.read()));
      const h = loop(a, b, columns, false, initial);
      const later = Float64Array.from(a, (_, i) => a[i + columns] ?? 0);
      const g = loop(later, d, columns, true);
      const before = (i: number): number => (i < columns ? initial[i] : h[i - columns]);
      expectClose(
        got[0],
        g.map((x, i) => x * before(i)),
      );
      expectClose(got[1], g);
      expectClose(
        got[2],
        initial.map((_, i) => a[i] * g[i]),
      );
    });

    test('refuses what does not fit', () => {
      const refusals: [expected: ErrorCode, shapes: Shape[]][] = [
        [
          'shape',
          [
            [3, 2],
            [3, 2],
          ],
        ],
        [
          'shape',
          [
            [3, 2, 1],
            [3, 2, 2],
          ],
        ],
        [
          'shape',
          [
            [3, 2, 4],
            [3, 2, 4],
            [2, 3],
          ],
        ],
      ];
      for (const [expected, shapes] of refusals) {
        const run = runtime.compile(([a, b, initial]: Value[]) =>
          linearScan(a, b, initial === undefined ? {} : { initial }),
        );
        const args = shapes.map((shape) => runtime.tensor(new Float32Array(sizeOf(shape)), { shape }));
        expect(() => run(args)).toThrow(failure(expected));
      }
      const words = runtime.compile((a: Value) => linearScan(a, 1 as unknown as Value));
      expect(() => words([[[1]]])).toThrow(failure('argument'));
    });
  });

  describe.each(kinds)('%s', (kind) => {
    const x = numbers(10, STEPS * BATCH * INPUTS, -3, 3);
    const input = (data = x): Tensor => runtime.tensor(data, { shape: [STEPS, BATCH, INPUTS] });

    const variants: [string, Partial<MinRNNOptions>][] = [
      ['one layer', {}],
      ['three layers', { numLayers: 3 }],
      ['without bias', { bias: false }],
      ['batch first', { batchFirst: true, numLayers: 2 }],
      ['bidirectional', { bidirectional: true }],
      ['bidirectional, two layers, batch first', { bidirectional: true, numLayers: 2, batchFirst: true }],
    ];
    test.each(variants)('%s: output and states equal the formulas', async (_, more) => {
      const options = { ...SIZES, ...more };
      const { batchFirst = false, numLayers = 1, bidirectional = false } = options;
      const net = await runtime.load(make(kind, options), { seed: 5 });
      const weights = await weightsOf(net);
      const count = numLayers * (bidirectional ? 2 : 1);
      const h = numbers(11, count * BATCH * HIDDEN);
      const given = batchFirst
        ? runtime.tensor(swapAxes(x, STEPS, BATCH), { shape: [BATCH, STEPS, INPUTS] })
        : input();
      const states = { h: runtime.tensor(h, { shape: [count, BATCH, HIDDEN] }) };
      for (const start of [{}, { states }]) {
        const { output, states: after } = net.runWithStates(given, start);
        const width = HIDDEN * (bidirectional ? 2 : 1);
        expect(output.shape).toEqual(batchFirst ? [BATCH, STEPS, width] : [STEPS, BATCH, width]);
        const data = await output.read();
        const last = await after['h'].read();
        for (let row = 0; row < BATCH; row++) {
          const first = sequenceOf(h, row, count).slice(0, 'states' in start ? count : 0);
          const expected = formulas(kind, options, weights, sequenceOf(x, row), first);
          const got = sequenceOf(batchFirst ? swapAxes(data, BATCH, STEPS) : data, row);
          expectClose(got.flat(), expected.output.flat());
          expectClose(sequenceOf(last, row, count).flat(), expected.states.flat());
        }
      }
      net.dispose();
    });

    test("its parameters have names and shapes in PyTorch's style", () => {
      const rows = (kind === 'MinGRU' ? 2 : 3) * HIDDEN;
      const layer = make(kind, { ...SIZES, numLayers: 2, bidirectional: true });
      expect(layer.parameters.map(({ name, shape }) => [name, ...shape])).toEqual([
        ['weight_ih_l0', rows, INPUTS],
        ['bias_ih_l0', rows],
        ['weight_ih_l0_reverse', rows, INPUTS],
        ['bias_ih_l0_reverse', rows],
        ['weight_ih_l1', rows, 2 * HIDDEN],
        ['bias_ih_l1', rows],
        ['weight_ih_l1_reverse', rows, 2 * HIDDEN],
        ['bias_ih_l1_reverse', rows],
      ]);
      expect(layer.states.map(({ name, shape }) => [name, ...shape(7)])).toEqual([['h', 4, 7, HIDDEN]]);
      expect([layer.causal, make(kind, SIZES).causal]).toEqual([false, true]);
    });

    test('refuses unknown options', async () => {
      expect(() => make(kind, { ...SIZES, zoneout: 0.5 } as MinRNNOptions)).toThrow(failure('unsupported'));
      expect(() => make(kind, { ...SIZES, hiddenSize: 0 })).toThrow(failure('argument'));
      const net = await runtime.load(make(kind, SIZES));
      expect(() => net.run([[[1, 2]]])).toThrow(failure('shape'));
      expect(() => net.run(input(), { states: { c: [1] } })).toThrow(failure('argument'));
      expect(() => net.run(input(), { states: { h: [[[1]]] } })).toThrow(failure('shape'));
      net.dispose();
    });

    test("a stream's outputs equal those of run", async () => {
      const net = await runtime.load(make(kind, { ...SIZES, numLayers: 2 }), { seed: 6 });
      const whole = await net.run(input()).read();
      const stream = net.stream({ batch: BATCH });
      let states: Record<string, Tensor> = {};
      for (let t = 0; t < STEPS; t++) {
        const step = x.slice(t * BATCH * INPUTS, (t + 1) * BATCH * INPUTS);
        const expected = whole.subarray(t * BATCH * HIDDEN, (t + 1) * BATCH * HIDDEN);
        const pushed = stream.push(runtime.tensor(step, { shape: [BATCH, INPUTS] }));
        expectClose(await pushed.read(), expected);
        const ran = net.runWithStates(runtime.tensor(step, { shape: [1, BATCH, INPUTS] }), { states });
        expectClose(await ran.output.read(), expected);
        ({ states } = ran);
      }
      net.dispose();
    });

    describe.each([false, true])('bidirectional %s', (bidirectional) => {
      const options = { ...SIZES, numLayers: 2, bidirectional };
      const width = HIDDEN * (bidirectional ? 2 : 1);
      const count = bidirectional ? 4 : 2;
      const h = numbers(12, count * BATCH * HIDDEN);

      test("with lengths, each sequence's output equals its output alone, and is 0 past its end", async () => {
        const lengths = [2, STEPS, 1];
        const padded = x.map((value, i) =>
          Math.floor(i / (BATCH * INPUTS)) < lengths[Math.floor(i / INPUTS) % BATCH] ? value : NaN,
        );
        const net = await runtime.load(make(kind, options), { seed: 7 });
        const weights = await weightsOf(net);
        const states = { h: runtime.tensor(h, { shape: [count, BATCH, HIDDEN] }) };
        const { output, states: after } = net.runWithStates(input(padded), { states, lengths });
        const data = await output.read();
        const last = await after['h'].read();
        lengths.forEach((length, row) => {
          const alone = sequenceOf(x, row).slice(0, length);
          const expected = formulas(kind, options, weights, alone, sequenceOf(h, row, count));
          const got = sequenceOf(data, row);
          expectClose(got.slice(0, length).flat(), expected.output.flat());
          expect(new Set(got.slice(length).flat())).toEqual(new Set(length < STEPS ? [0] : []));
          expectClose(sequenceOf(last, row, count).flat(), expected.states.flat());
        });
        net.dispose();
      });

      test('with a mask, the output equals that of the sequence without the masked steps', async () => {
        const mask = [
          [1, 0, 1, 1, 0, 1],
          [0, 0, 1, 0, 1, 0],
          [0, 0, 0, 0, 0, 0],
        ];
        const masked = x.map((value, i) =>
          mask[Math.floor(i / INPUTS) % BATCH][Math.floor(i / (BATCH * INPUTS))] === 1 ? value : NaN,
        );
        const net = await runtime.load(make(kind, options), { seed: 8 });
        const weights = await weightsOf(net);
        const states = { h: runtime.tensor(h, { shape: [count, BATCH, HIDDEN] }) };
        const steps = Array.from({ length: STEPS }, (_, t) => mask.map((row) => row[t]));
        const { output, states: after } = net.runWithStates(input(masked), { states, mask: steps });
        const data = await output.read();
        const last = await after['h'].read();
        mask.forEach((counts, row) => {
          const unmasked = sequenceOf(x, row).filter((_, t) => counts[t] === 1);
          const first = sequenceOf(h, row, count);
          const expected = formulas(kind, options, weights, unmasked, first);
          const got = sequenceOf(data, row);
          expectClose(got.filter((_, t) => counts[t] === 1).flat(), expected.output.flat());
          expectClose(sequenceOf(last, row, count).flat(), expected.states.flat());
          // At a masked step the forward half repeats the output before it, or the initial state.
          for (let t = 0; t < STEPS; t++) {
            if (counts[t] === 1) continue;
            const before = t === 0 ? first[count - (bidirectional ? 2 : 1)] : got[t - 1].slice(0, HIDDEN);
            expectClose(got[t].slice(0, HIDDEN), before, 0);
            const after = t === STEPS - 1 ? first[count - 1] : got[t + 1].slice(-HIDDEN);
            if (bidirectional) expectClose(got[t].slice(-HIDDEN), after, 0);
          }
        });
        net.dispose();
      });

      test('gradients of padded sequences equal those of the sequences alone', async () => {
        const lengths = [3, STEPS, 1];
        const layer = make(kind, options);
        const gradients = runtime.compile(
          grad(([own, x]: [Record<string, Value>, Value], d: Value, lengths?: Value) => {
            const context: Context = lengths === undefined ? {} : { lengths };
            return sum(mul(layer.forward(x, own, {}, context).output, d));
          }),
        );
        const own = Object.fromEntries(
          layer.parameters.map(({ name, shape }, i) => {
            return [name, runtime.tensor(numbers(20 + i, sizeOf(shape), -0.5, 0.5), { shape })];
          }),
        );
        const d = numbers(30, STEPS * BATCH * width);
        const padded = x.map((value, i) =>
          Math.floor(i / (BATCH * INPUTS)) < lengths[Math.floor(i / INPUTS) % BATCH] ? value : NaN,
        );
        const [dOwn, dX] = gradients(
          [own, input(padded)],
          runtime.tensor(d, { shape: [STEPS, BATCH, width] }),
          Int32Array.from(lengths),
        );
        const total = Object.fromEntries(
          layer.parameters.map(({ name, shape }) => [name, new Float64Array(sizeOf(shape))]),
        );
        const gotX = await dX.read();
        for (const [row, length] of lengths.entries()) {
          const part = (data: ArrayLike<number>, features: number): Tensor =>
            runtime.tensor(Float32Array.from(sequenceOf(data, row).slice(0, length).flat()), {
              shape: [length, 1, features],
            });
          const [alone, aloneX] = gradients([own, part(x, INPUTS)], part(d, width));
          for (const [name, sums] of Object.entries(total))
            (await alone[name].read()).forEach((value, i) => (sums[i] += value));
          const expected = new Float64Array(STEPS * INPUTS);
          expected.set(await aloneX.read());
          expectClose(sequenceOf(gotX, row).flat(), expected);
        }
        for (const [name, sums] of Object.entries(total)) expectClose(await dOwn[name].read(), sums, 2e-5);
      });
    });

    test('learns to remember the first step', async () => {
      const net = await runtime.load(
        new Sequential([
          make(kind, { inputSize: 2, hiddenSize: 8, numLayers: 2 }),
          new Linear({ inputSize: 8, outputSize: 1 }),
        ]),
        { seed: 2 },
      );
      const [steps, batch] = [12, 16];
      const random = new Random(9, 3);
      const first = Array.from({ length: batch }, () => (random.uniform(-1, 1) < 0 ? -1 : 1));
      // Noise, and a flag at the first step.
      const inputs = Array.from({ length: steps }, (_, t) =>
        first.map((value) => [t === 0 ? value : random.uniform(-1, 1), t === 0 ? 1 : 0]),
      );
      const targets = inputs.map(() => first.map((value) => [value]));
      const trainer = new Trainer(net, { loss: mse, optimizer: adam({ lr: 0.02 }) });
      const losses: number[] = [];
      for (let i = 0; i < 60; i++) losses.push(await trainer.step(inputs, targets));
      expect(losses[0]).toBeGreaterThan(0.7);
      expect(losses[59]).toBeLessThan(0.15);
      net.dispose();
    });

    test('launches as many kernels for a long sequence as for a short one', async () => {
      const layers = 3;
      const layer = make(kind, { ...SIZES, numLayers: layers });
      const net = await runtime.load(layer);
      const trained = await runtime.load(new Sequential([layer]));
      const trainer = new Trainer(trained, { loss: mse, optimizer: adam() });
      const zeros = (steps: number, batch: number, width: number): Tensor =>
        runtime.tensor(new Float32Array(steps * batch * width), { shape: [steps, batch, width] });
      const runs = [64, 200, 2000].map((steps) => dispatchCount(tools.plan(net, zeros(steps, 2, INPUTS))));
      // A product, and a scan of two dispatches on a GPU.
      const each = runtime.backend.kind === 'webgpu' ? 3 : 2;
      expect(runs).toEqual([each * layers, each * layers, each * layers]);
      const short = dispatchCount(tools.plan(net, zeros(1, 2, INPUTS)));
      expect(short).toBe(2 * layers);
      const wide = tools.plan(net, zeros(200, 4000, INPUTS));
      expect(dispatchCount(wide)).toBe(2 * layers);
      expect(dispatchCount(tools.plan(net, zeros(200, 8, INPUTS)), SOFTWARE_DEVICE)).toBe(2 * layers);
      // Both are long enough for the split-K variant of the products.
      const lines = [1000, 4000].map(
        (steps) =>
          tools
            .explain(trainer, zeros(steps, 2, INPUTS), zeros(steps, 2, HIDDEN))
            .match(/ total +(\d+)/)?.[1],
      );
      expect(lines[0]).toBeDefined();
      expect(lines[1]).toBe(lines[0]);
      net.dispose();
      trained.dispose();
    });
  });

  test('MinLSTM is exact for gates of any magnitude', async () => {
    const layer = new MinLSTM({ inputSize: 3, hiddenSize: 1, bias: false });
    const weight = { dtype: 'f32', shape: [3, 3], data: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1) } as const;
    const net = await runtime.load(layer, {
      weights: serializeSafetensors(new Map([['weight_ih_l0', weight]])),
    });
    const sizes = [-1e30, -200, -100, -99, -30, -1, 0, 1, 30, 99, 100, 200, 1e30];
    const pairs = sizes.flatMap((f) => sizes.map((i) => [f, i]));
    const logSigma = (x: number): number => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
    const states = {
      h: runtime.tensor(new Float32Array(pairs.length).fill(2), { shape: [1, pairs.length, 1] }),
    };
    const x = [pairs.map(([f, i]) => [f, i, -3])];
    const expected = pairs.map(([f, i]) => {
      const ratio = logSigma(f) - logSigma(i);
      return 2 * sigma(ratio) - 3 * sigma(-ratio);
    });
    expectClose(await net.run(x, { states }).read(), expected);
    // h = a · 2 - (1 - a) · 3 with a = σ(log f - log i), and log σ has the slope σ(-x).
    const slopes = runtime.compile(
      grad((x: Value, weight: Value, h: Value) =>
        sum(layer.forward(x, { weight_ih_l0: weight }, { h }).output),
      ),
    );
    const got = await slopes(x, runtime.tensor(weight.data, { shape: [3, 3] }), states.h).read();
    pairs.forEach(([f, i], row) => {
      const ratio = logSigma(f) - logSigma(i);
      const slope = sigma(ratio) * sigma(-ratio) * 5;
      const dX = [slope * sigma(-f), -slope * sigma(-i), sigma(-ratio)];
      expectClose(got.subarray(3 * row, 3 * row + 3), dX);
    });
    net.dispose();
  });
});

describe.each(on('cpu'))('gradients of the layers, in float64, equal finite differences', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
  });
  afterAll(() => runtime.dispose());

  const variants = kinds.flatMap(
    (kind): [Kind, string, Partial<MinRNNOptions>, 'lengths' | 'mask' | undefined][] => [
      [kind, 'two layers', { numLayers: 2 }, undefined],
      [kind, 'bidirectional, with lengths', { bidirectional: true, numLayers: 2 }, 'lengths'],
      [kind, 'batch first, with a mask', { batchFirst: true, bidirectional: true }, 'mask'],
    ],
  );
  test.each(variants)('%s, %s', async (kind, _, more, which) => {
    const layer: Layer = make(kind, { ...SIZES, ...more });
    const { batchFirst = false } = more;
    const count = layer.states[0].shape(BATCH)[0];
    const shapes: Shape[] = [
      batchFirst ? [BATCH, STEPS, INPUTS] : [STEPS, BATCH, INPUTS],
      [count, BATCH, HIDDEN],
      ...layer.parameters.map(({ shape }) => shape),
    ];
    const data = shapes.map((shape, i) => Float64Array.from(numbers(50 + i, sizeOf(shape))));
    const tensors = (from: readonly Float64Array[]): Tensor[] =>
      from.map((list, i) => runtime.tensor(list, { shape: shapes[i] }));
    const loss = ([x, h, ...own]: Value[], context: Value): Value => {
      const parameters = Object.fromEntries(layer.parameters.map(({ name }, i) => [name, own[i]]));
      const { output, states } = layer.forward(
        x,
        parameters,
        { h },
        which === undefined ? {} : { [which]: context },
      );
      return add(sum(square(output)), sum(square(states['h'])));
    };
    const context =
      which === 'lengths'
        ? Int32Array.of(2, STEPS, 4)
        : runtime.tensor(
            Float64Array.from({ length: BATCH * STEPS }, (_, i) => Number(i % 3 !== 1)),
            { shape: [BATCH, STEPS] },
          );
    const [, gradients] = runtime.compile(valueAndGrad(loss))(tensors(data), context);
    const forward = runtime.compile(loss);
    const random = new Random(1, 7);
    for (const [i, gradient] of gradients.entries()) {
      const direction = data[i].map(() => random.normal());
      const numbers = await gradient.read();
      const along = direction.reduce((total, d, k) => total + d * numbers[k], 0);
      const at = async (step: number): Promise<number> => {
        const moved = data.map((list, j) => (j === i ? list.map((x, k) => x + step * direction[k]) : list));
        return forward(tensors(moved), context).item();
      };
      const step = 1e-4;
      const difference = ((await at(step)) - (await at(-step))) / (2 * step);
      expect(Math.abs(difference - along) / Math.max(1, Math.abs(along))).toBeLessThan(1e-6);
    }
  });
});
