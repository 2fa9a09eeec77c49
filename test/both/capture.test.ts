// States and gates of layers at each step, and the gradients with respect to them, against runs of parts of the sequence and against
// the formulas written out.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  add,
  createRuntime,
  Embedding,
  GRU,
  Linear,
  LSTM,
  matmul,
  mean,
  mul,
  Random,
  reshape,
  RNN,
  Sequential,
  sigmoid,
  slice,
  square,
  tanh,
  transpose,
  zeros,
  type Layer,
  type Net,
  type Runtime,
  type Tensor,
  type Value,
  type Values,
} from '../../src/index.ts';
import { plan } from '../../src/tools/index.ts';
import {
  crossEntropy,
  mse,
  sgd,
  Trainer,
  valueAndGrad,
  valueAndGradWithCapture,
} from '../../src/train/index.ts';
import { failure } from '../failure.ts';
import { backend } from '../setup/backend.ts';

const [STEPS, BATCH, INPUTS, HIDDEN] = [5, 2, 3, 4];
const sizes = { inputSize: INPUTS, hiddenSize: HIDDEN };
const random = new Random(11);
const draw = (...shape: number[]) =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.uniform(-1, 1));
const x = Array.from({ length: STEPS }, () => Array.from({ length: BATCH }, () => [...draw(INPUTS)]));

const numbers = async (tensor: Tensor): Promise<number[]> => Array.from(await tensor.read());
function expectClose(got: readonly number[], expected: readonly number[]): void {
  expect(got).toHaveLength(expected.length);
  got.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test.each<[string, Layer, names: string[], directions: number]>([
    ['RNN', new RNN(sizes), ['h'], 1],
    ['LSTM of two layers', new LSTM({ ...sizes, numLayers: 2 }), ['h', 'c'], 1],
    ['projected LSTM', new LSTM({ ...sizes, projSize: 2 }), ['h', 'c'], 1],
    ['GRU, both directions', new GRU({ ...sizes, numLayers: 2, bidirectional: true }), ['h'], 2],
    ['GRU of recomputed segments', new GRU({ ...sizes, recompute: 2 }), ['h'], 1],
  ])(
    '%s: the states after each step are those of a run that ends there',
    async (_, layer, names, directions) => {
      using net = await runtime.load(layer, { seed: 2 });
      const { output, captured } = net.run(x, { capture: names });
      expect(await output.read()).toEqual(await net.run(x).read());
      for (const name of names) {
        const tensor = captured[name];
        const [steps, layers, ...rest] = tensor.shape;
        expect(steps).toBe(STEPS);
        const all = await numbers(tensor);
        const width = rest.reduce((a, b) => a * b);
        for (let t = 0; t < STEPS; t++) {
          for (let p = 0; p < layers; p++) {
            // What a layer above reads of the other direction depends on the whole sequence.
            if (directions === 2 && p >= directions) continue;
            const part = directions === 2 && p % 2 === 1 ? x.slice(t) : x.slice(0, t + 1);
            const states = await numbers(net.runWithStates(part).states[name]);
            const at = (t * layers + p) * width;
            expectClose(all.slice(at, at + width), states.slice(p * width, (p + 1) * width));
          }
        }
      }
    },
  );

  test('with lengths a state stays as it is past the end of its sequence', async () => {
    using net = await runtime.load(new LSTM(sizes), { seed: 2 });
    const { captured } = net.run(x, { capture: ['c'], lengths: [STEPS, 2] });
    const c = await numbers(captured['c']);
    const of = (t: number) => c.slice((t * BATCH + 1) * HIDDEN, (t * BATCH + 2) * HIDDEN);
    for (const t of [2, 3, 4]) expect(of(t)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(0));
  });

  test('names have the prefixes of a Sequential, and T comes first with batchFirst too', async () => {
    const lstm = new LSTM({ ...sizes, batchFirst: true });
    using net = await runtime.load(
      new Sequential([
        new Embedding({ numEmbeddings: 9, embeddingDim: INPUTS }),
        lstm,
        new Linear({ inputSize: HIDDEN, outputSize: 9 }),
      ]),
    );
    const { captured } = net.run(
      [
        [1, 2, 3, 4, 5],
        [5, 6, 7, 8, 0],
      ],
      { capture: ['1.c', '1.gates'] },
    );
    expect(Object.fromEntries(Object.entries(captured).map(([name, { shape }]) => [name, shape]))).toEqual({
      '1.c': [STEPS, 1, BATCH, HIDDEN],
      '1.gates': [STEPS, 1, BATCH, 4, HIDDEN],
    });
  });

  /** An LSTM as its formula, with zeros added to each state and to the gates' sums. */
  function formula(
    p: Values,
    xs: Value,
    taps: Values,
  ): { loss: Value; h: Value[]; c: Value[]; gates: Value[] } {
    let [h, c] = [zeros([BATCH, HIDDEN]), zeros([BATCH, HIDDEN])];
    const all = { h: [] as Value[], c: [] as Value[], gates: [] as Value[] };
    const row = (of: Value, t: number, ...shape: number[]): Value => reshape(slice(of, 0, t, t + 1), shape);
    for (let t = 0; t < STEPS; t++) {
      const input = matmul(row(xs, t, BATCH, INPUTS), transpose(p['weight_ih_l0']));
      const sums = add(
        add(add(input, p['bias_ih_l0']), add(matmul(h, transpose(p['weight_hh_l0'])), p['bias_hh_l0'])),
        row(taps['gates'], t, BATCH, 4 * HIDDEN),
      );
      const [i, f, g, o] = [0, 1, 2, 3].map((n) => slice(sums, 1, n * HIDDEN, (n + 1) * HIDDEN));
      c = add(add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g))), row(taps['c'], t, BATCH, HIDDEN));
      h = add(mul(sigmoid(o), tanh(c)), row(taps['h'], t, BATCH, HIDDEN));
      all.h.push(h);
      all.c.push(c);
      all.gates.push(sums);
    }
    const weighted = all.h.map((value, t) => mul(square(value), t + 1));
    return { ...all, loss: mean(weighted.reduce((a, b) => add(a, b))) };
  }

  async function tracedNet(): Promise<{ net: Net; layer: LSTM; parameters: Record<string, Tensor> }> {
    const layer = new LSTM(sizes);
    const net = await runtime.load(layer, { seed: 5 });
    const parameters = Object.fromEntries(
      layer.parameters.map(({ name, shape }) => [name, runtime.tensor(draw(...shape), { shape })]),
    );
    return { net, layer, parameters };
  }

  test('values and gradients of states and gates are those of the formula, and the others stay as they are', async () => {
    const { layer, parameters } = await tracedNet();
    const lossOf = (output: Value): Value =>
      mean(
        Array.from({ length: STEPS }, (_, t) => mul(square(slice(output, 0, t, t + 1)), t + 1)).reduce(
          (a, b) => add(a, b),
        ),
      );
    const captured = runtime.compile(
      valueAndGradWithCapture(['h', 'c', 'gates'], (capture, p: Values, xs: Value) =>
        lossOf(layer.forward(xs, p, {}, { capture }).output),
      ),
    );
    const [loss, gradient, { values, gradients }] = captured(parameters, x);
    const plain = runtime.compile(
      valueAndGrad((p: Values, xs: Value) => lossOf(layer.forward(xs, p).output)),
    );
    const [expectedLoss, expectedGradient] = plain(parameters, x);
    expectClose(await numbers(loss), await numbers(expectedLoss));
    for (const [name, g] of Object.entries(expectedGradient))
      expectClose(await numbers(gradient[name]), await numbers(g));

    const taps = {
      h: runtime.tensor(new Float32Array(STEPS * BATCH * HIDDEN), { shape: [STEPS, BATCH, HIDDEN] }),
      c: runtime.tensor(new Float32Array(STEPS * BATCH * HIDDEN), { shape: [STEPS, BATCH, HIDDEN] }),
      gates: runtime.tensor(new Float32Array(STEPS * BATCH * 4 * HIDDEN), {
        shape: [STEPS, BATCH, 4 * HIDDEN],
      }),
    };
    const [, byFormula] = runtime.compile(
      valueAndGrad((added: Values, p: Values, xs: Value) => formula(p, xs, added).loss),
    )(taps, parameters, x);
    const shown = runtime.compile((added: Values, p: Values, xs: Value) => formula(p, xs, added))(
      taps,
      parameters,
      x,
    );
    for (const name of ['h', 'c', 'gates'] as const) {
      const steps = await Promise.all(shown[name].map(numbers));
      expectClose(await numbers(values[name]), steps.flat());
      const expected = await numbers(byFormula[name]);
      expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(1e-3);
      expectClose(await numbers(gradients[name]), expected);
    }
    expect(gradients['gates'].shape).toEqual([STEPS, 1, BATCH, 4, HIDDEN]);
  });

  test.each<[string, Layer]>([
    ['GRU of two layers in both directions', new GRU({ ...sizes, numLayers: 2, bidirectional: true })],
    ['RNN of recomputed segments', new RNN({ ...sizes, recompute: 2 })],
    ['LSTM with zoneout', new LSTM({ ...sizes, zoneout: 0.2 })],
  ])('%s: the gradient of the last output is that of the loss', async (_, layer) => {
    using net = await runtime.load(layer, { seed: 3 });
    const directions = layer.states[0].shape(1)[0];
    const width = directions === 4 ? 2 * HIDDEN : HIDDEN;
    const y = runtime.tensor(new Float32Array(STEPS * BATCH * width), { shape: [STEPS, BATCH, width] });
    // Two trainers, since the random numbers of zoneout depend on the number of the step.
    const [trainer, plain] = [0, 1].map(() => new Trainer(net, { loss: mse, optimizer: sgd({ lr: 0 }) }));
    const { loss, values, gradients } = trainer.step(x, y, { capture: ['h'] });
    expect(await loss).toBeCloseTo(await plain.step(x, y), 5);
    const [steps, layers] = gradients['h'].shape;
    expect([steps, layers]).toEqual([STEPS, directions]);
    const [h, dh] = await Promise.all([numbers(values['h']), numbers(gradients['h'])]);
    const size = BATCH * HIDDEN;
    // After the last step of the top layer's forward direction only the loss reads h.
    const p = directions === 4 ? 2 : 0;
    const at = ((STEPS - 1) * layers + p) * size;
    expectClose(
      dh.slice(at, at + size),
      h.slice(at, at + size).map((value) => (2 * value) / (STEPS * BATCH * width)),
    );
    const earlier = dh.slice(p * size, (p + 1) * size);
    expect(
      earlier.some((value, i) => Math.abs(value - (2 * h[p * size + i]) / (STEPS * BATCH * width)) > 1e-4),
    ).toBe(true);
  });

  test('a trainer takes the same step with a capture, in one loop forward and one back', async () => {
    const model = () =>
      new Sequential([
        new Embedding({ numEmbeddings: 9, embeddingDim: INPUTS }),
        new LSTM(sizes),
        new Linear({ inputSize: HIDDEN, outputSize: 9 }),
      ]);
    const tokens = [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
      [0, 1],
    ];
    const nets = [await runtime.load(model(), { seed: 4 }), await runtime.load(model(), { seed: 4 })];
    const [plain, seen] = nets.map(
      (net) => new Trainer(net, { loss: crossEntropy, optimizer: sgd({ lr: 0.5 }) }),
    );
    const before = await plain.step(tokens, tokens);
    const { loss, gradients } = seen.step(tokens, tokens, { capture: ['1.c', '1.gates'] });
    expect(await loss).toBeCloseTo(before, 5);
    expect(Object.keys(gradients)).toEqual(['1.c', '1.gates']);
    const [a, b] = await Promise.all(nets.map((net) => net.run(tokens).read()));
    expectClose([...b], [...a]);
    const loops = plan(seen, tokens, tokens, { capture: ['1.c'] } as object).steps.map(({ op }) => op.name);
    expect(loops.filter((name) => name === 'recurrent')).toHaveLength(1);
    expect(loops.filter((name) => name === 'recurrent_backward')).toHaveLength(1);
  });

  test('a name that the model does not show, and gradients of a projected h, are refused', async () => {
    using net = await runtime.load(new LSTM({ ...sizes, projSize: 2 }));
    expect(() => net.run(x, { capture: ['x'] })).toThrow(
      failure('argument', 'run: there is no "x" to capture; the model shows ["h", "c", "gates"]'),
    );
    expect(() => net.run(x, { capture: 'h' as never })).toThrow(
      failure('argument', 'run: capture must be a list of names'),
    );
    const y = runtime.tensor(new Float32Array(STEPS * BATCH * 2), { shape: [STEPS, BATCH, 2] });
    const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 1 }) });
    expect(() => trainer.step(x, y, { capture: ['c'] })).toThrow(
      failure('unsupported', /projects h, .*capture values alone/),
    );
  });
});
