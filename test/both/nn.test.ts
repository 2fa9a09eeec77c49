// Layers and nets on both backends: shapes, PyTorch's names, initial weights, states in and out, streams, and files.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Random } from '../../src/core/random.ts';
import { sizeOf } from '../../src/core/shape.ts';
import {
  createRuntime,
  Embedding,
  Linear,
  LSTM,
  parseSafetensors,
  Sequential,
  serializeSafetensors,
  type Net,
  type Recurrent,
  type RecurrentOptions,
  type Runtime,
  type Tensor,
} from '../../src/index.ts';
import { failure } from '../failure.ts';
import { kindNames, recurrentKinds } from '../recurrent_kinds.ts';
import { backend } from '../setup/backend.ts';

const STEPS = 5;
const BATCH = 3;
const INPUTS = 4;
const HIDDEN = 7;

function normal(seed: number, count: number): Float32Array {
  const random = new Random(seed, 99);
  return Float32Array.from({ length: count }, () => random.normal());
}

/** (T, B, I) as (B, T, I), or back. */
function swapAxes(data: ArrayLike<number>, [first, second, last]: readonly number[]): Float32Array {
  const swapped = new Float32Array(first * second * last);
  for (let i = 0; i < first; i++)
    for (let j = 0; j < second; j++)
      for (let k = 0; k < last; k++) swapped[(j * first + i) * last + k] = data[(i * second + j) * last + k];
  return swapped;
}

function expectClose(got: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(got.length).toBe(expected.length);
  const errors = Array.from(expected, (value, i) => Math.abs(value - got[i]));
  // A maximum would miss a NaN.
  expect(errors.filter((error) => !(error <= tolerance))).toEqual([]);
}

/** Expects that two lists differ by more than rounding. */
function expectDifferent(one: ArrayLike<number>, other: ArrayLike<number>): void {
  const errors = Array.from(one, (value, i) => Math.abs(value - other[i]));
  expect(Math.max(...errors)).toBeGreaterThan(1e-2);
}

async function weightsOf(net: Net): Promise<Record<string, Float32Array>> {
  const { tensors } = parseSafetensors(await net.save());
  return Object.fromEntries([...tensors].map(([name, { data }]) => [name, Float32Array.from(data)]));
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  const input = (data: Float32Array, batchFirst = false): Tensor =>
    batchFirst
      ? runtime.tensor(swapAxes(data, [STEPS, BATCH, INPUTS]), { shape: [BATCH, STEPS, INPUTS] })
      : runtime.tensor(data, { shape: [STEPS, BATCH, INPUTS] });

  describe('initial weights', () => {
    /** Expects numbers with the range, mean and variance of a uniform distribution in ±bound. */
    function expectUniform(data: Float32Array, bound: number): void {
      const mean = data.reduce((a, b) => a + b, 0) / data.length;
      const variance = data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length;
      const largest = data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      expect(largest).toBeLessThanOrEqual(Math.fround(bound));
      expect(largest).toBeGreaterThan(0.99 * bound);
      // Five standard errors of the mean.
      expect(Math.abs(mean)).toBeLessThan((5 * bound) / Math.sqrt(3 * data.length));
      expect(variance / (bound ** 2 / 3)).toBeGreaterThan(0.9);
      expect(variance / (bound ** 2 / 3)).toBeLessThan(1.1);
    }

    test.each(kindNames)('of a %s are uniform in ±1/√hiddenSize', async (kind) => {
      const net = await runtime.load(
        recurrentKinds[kind].make({ inputSize: 31, hiddenSize: 400, numLayers: 2 }),
      );
      for (const data of Object.values(await weightsOf(net))) {
        if (data.length >= 1200) expectUniform(data, 1 / 20);
        expect(data.every((value) => Math.abs(value) <= Math.fround(1 / 20))).toBe(true);
      }
      net.dispose();
    });

    test('of a Linear are uniform in ±1/√inputSize', async () => {
      const net = await runtime.load(new Linear({ inputSize: 64, outputSize: 1500 }));
      const { weight, bias } = await weightsOf(net);
      expectUniform(weight, 1 / 8);
      expectUniform(bias, 1 / 8);
      net.dispose();
    });

    test('of an Embedding are standard normal', async () => {
      const net = await runtime.load(new Embedding({ numEmbeddings: 200, embeddingDim: 50 }));
      const { weight } = await weightsOf(net);
      const share = (bound: number): number =>
        weight.filter((value) => Math.abs(value) < bound).length / weight.length;
      expect(Math.abs(weight.reduce((a, b) => a + b, 0) / weight.length)).toBeLessThan(0.05);
      expect(Math.abs(share(1) - 0.6827)).toBeLessThan(0.025);
      expect(Math.abs(share(2) - 0.9545)).toBeLessThan(0.012);
      net.dispose();
    });

    test('depend on the seed alone, which is 0 by default', async () => {
      const model = new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 2 });
      const seeds = [7, 7, 8, 0, undefined];
      const [one, again, other, zero, none] = await Promise.all(
        seeds.map(async (seed) => weightsOf(await runtime.load(model, seed === undefined ? {} : { seed }))),
      );
      expect(again).toEqual(one);
      expect(none).toEqual(zero);
      for (const name of Object.keys(one)) expectDifferent(one[name], other[name]);
      // No two parameters have the same numbers.
      expectDifferent(one['bias_ih_l0'], one['bias_hh_l0']);
      expectDifferent(one['weight_hh_l0'], one['weight_hh_l1']);
    });

    test.each([-1, 0.5, NaN])('from seed %d are refused', async (seed) => {
      await expect(runtime.load(new Linear({ inputSize: 2, outputSize: 2 }), { seed })).rejects.toThrow(
        failure('argument'),
      );
    });
  });

  describe('run', () => {
    test('Linear is x · weightᵀ + bias, with any leading axes', async () => {
      const net = await runtime.load(new Linear({ inputSize: INPUTS, outputSize: 2 }));
      const { weight, bias } = await weightsOf(net);
      const x = normal(1, 2 * 3 * INPUTS);
      const expected = Array.from(
        { length: 12 },
        (_, i) =>
          bias[i % 2] +
          Array.from(
            { length: INPUTS },
            (_, k) => x[Math.floor(i / 2) * INPUTS + k] * weight[(i % 2) * INPUTS + k],
          ).reduce((a, b) => a + b),
      );
      for (const front of [[6], [2, 3], [1, 3, 2]]) {
        const y = net.run(runtime.tensor(x, { shape: [...front, INPUTS] }));
        expect(y.shape).toEqual([...front, 2]);
        expectClose(await y.read(), expected);
      }
      expect(() => net.run([[1, 2, 3]])).toThrow(failure('shape'));
    });

    test('Embedding gathers rows of its table', async () => {
      const net = await runtime.load(new Embedding({ numEmbeddings: 5, embeddingDim: 3 }));
      const { weight } = await weightsOf(net);
      const y = net.run([
        [4, 0],
        [2, 4],
        [0, 0],
      ]);
      expect(y.shape).toEqual([3, 2, 3]);
      const expected = [4, 0, 2, 4, 0, 0].flatMap((row) => Array.from(weight.subarray(3 * row, 3 * row + 3)));
      expect([...(await y.read())]).toEqual(expected);
    });

    test('a Sequential applies its layers in order', async () => {
      const layers = [
        new Embedding({ numEmbeddings: 6, embeddingDim: INPUTS }),
        new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN }),
        new Linear({ inputSize: HIDDEN, outputSize: 6 }),
      ];
      const whole = await runtime.load(new Sequential(layers), { seed: 3 });
      const { tensors } = parseSafetensors(await whole.save());
      const tokens = [
        [0, 5, 1],
        [2, 2, 3],
      ];
      let y: Tensor | number[][] = tokens;
      for (const [i, layer] of layers.entries()) {
        const own = [...tensors].flatMap(([name, tensor]) =>
          name.startsWith(`${i}.`) ? [[name.slice(2), tensor] as const] : [],
        );
        y = (await runtime.load(layer, { weights: serializeSafetensors(new Map(own)) })).run(y);
      }
      const all = whole.run(tokens);
      expect(all.shape).toEqual([2, 3, 6]);
      expectClose(await all.read(), await (y as Tensor).read());
    });
  });

  describe.each(kindNames)('%s', (kind) => {
    const { make, states } = recurrentKinds[kind];
    const model = (options: Partial<RecurrentOptions> = {}): Recurrent =>
      make({ inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 2, ...options });
    const x = normal(5, STEPS * BATCH * INPUTS);

    test('shapes of output and states; h of the last layer is the last output', async () => {
      const net = await runtime.load(model({ numLayers: 3 }));
      const { output, states: after } = net.runWithStates(input(x));
      expect(output.shape).toEqual([STEPS, BATCH, HIDDEN]);
      expect(Object.keys(after)).toEqual([...states]);
      for (const name of states) expect(after[name].shape).toEqual([3, BATCH, HIDDEN]);
      const size = BATCH * HIDDEN;
      const h = await after['h'].read();
      expect(h.slice(2 * size)).toEqual((await output.read()).slice((STEPS - 1) * size));
      expectDifferent(h.slice(0, size), h.slice(size, 2 * size));
      expect([...(await net.run(input(x)).read())]).toEqual([...(await output.read())]);
    });

    test('batchFirst changes the order of axes only', async () => {
      const plain = (await runtime.load(model(), { seed: 2 })).runWithStates(input(x));
      const first = (await runtime.load(model({ batchFirst: true }), { seed: 2 })).runWithStates(
        input(x, true),
      );
      expect(first.output.shape).toEqual([BATCH, STEPS, HIDDEN]);
      const back = swapAxes(await first.output.read(), [BATCH, STEPS, HIDDEN]);
      expectClose(back, await plain.output.read(), 1e-6);
      for (const name of states) {
        expect(first.states[name].shape).toEqual([2, BATCH, HIDDEN]);
        expectClose(await first.states[name].read(), await plain.states[name].read(), 1e-6);
      }
    });

    test('a sequence in two parts, with the states passed on, gives the outputs of the whole', async () => {
      const net = await runtime.load(model());
      const whole = net.runWithStates(input(x));
      const cut = 2 * BATCH * INPUTS;
      const head = net.runWithStates(runtime.tensor(x.slice(0, cut), { shape: [2, BATCH, INPUTS] }));
      const rest = runtime.tensor(x.slice(cut), { shape: [STEPS - 2, BATCH, INPUTS] });
      const tail = net.runWithStates(rest, { states: head.states });
      const joined = [...(await head.output.read()), ...(await tail.output.read())];
      expectClose(joined, await whole.output.read());
      for (const name of states) expectClose(await tail.states[name].read(), await whole.states[name].read());
      // Other initial states give other outputs; a state from the host is accepted too.
      expectDifferent(await net.run(rest).read(), await tail.output.read());
      const h = await head.states['h'].read();
      const given = runtime.tensor(Float32Array.from(h), { shape: [2, BATCH, HIDDEN] });
      const again = net.run(rest, { states: { ...head.states, h: given } });
      expect([...(await again.read())]).toEqual([...(await tail.output.read())]);
    });

    test('an unknown state, or one of another shape, is refused', async () => {
      const net = await runtime.load(model());
      const state = runtime.tensor(new Float32Array(2 * BATCH * HIDDEN), { shape: [2, BATCH, HIDDEN] });
      expect(() => net.run(input(x), { states: { cell: state } })).toThrow(failure('argument'));
      expect(() => net.run(input(x), { states: { h: [[1]] } })).toThrow(failure('shape'));
    });

    describe.each([false, true])('a stream, batchFirst %s', (batchFirst) => {
      const steps = Array.from({ length: STEPS }, (_, t) =>
        x.slice(t * BATCH * INPUTS, (t + 1) * BATCH * INPUTS),
      );
      const shape = [BATCH, INPUTS];
      let net: Net;
      /** The output of the whole sequence, (T, B, H). */
      let whole: Float32Array;
      beforeAll(async () => {
        net = await runtime.load(model({ batchFirst }), { seed: 4 });
        const output = await net.run(input(x, batchFirst)).read();
        whole = batchFirst ? swapAxes(output, [BATCH, STEPS, HIDDEN]) : Float32Array.from(output);
      });
      const part = (t: number): Float32Array => whole.slice(t * BATCH * HIDDEN, (t + 1) * BATCH * HIDDEN);

      test('pushes give the outputs of run, and again after reset', async () => {
        using stream = net.stream({ batch: BATCH });
        for (let round = 0; round < 2; round++) {
          const outputs = steps.map((step) => stream.push(runtime.tensor(step, { shape })));
          for (const [t, output] of outputs.entries()) {
            expect(output.shape).toEqual([BATCH, HIDDEN]);
            expectClose(await output.read(), part(t));
          }
          stream.reset();
        }
      });

      test('two streams are independent, and a push does not change earlier outputs', async () => {
        using one = net.stream({ batch: BATCH });
        using other = net.stream({ batch: BATCH });
        const outputs: [Tensor, number][] = [];
        for (let t = 0; t < STEPS; t++) {
          outputs.push([one.push(runtime.tensor(steps[t], { shape })), t]);
          // The second stream is one step behind the first.
          if (t > 0) outputs.push([other.push(runtime.tensor(steps[t - 1], { shape })), t - 1]);
          if (t === 2) net.run(input(x, batchFirst)).dispose();
        }
        for (const [output, t] of outputs) expectClose(await output.read(), part(t));
      });

      test('without reset continues, and a step depends on those before', async () => {
        using stream = net.stream({ batch: BATCH });
        const first = stream.push(runtime.tensor(steps[0], { shape }));
        const second = stream.push(runtime.tensor(steps[0], { shape }));
        expectClose(await first.read(), part(0));
        expectDifferent(await second.read(), part(0));
      });

      test('of one sequence takes a step as a flat list of features', async () => {
        using stream = net.stream();
        const alone = Array.from(steps, (step) => step.slice(0, INPUTS));
        for (const [t, features] of alone.entries()) {
          const output = stream.push([...features]);
          expect(output.shape).toEqual([1, HIDDEN]);
          expectClose(await output.read(), part(t).slice(0, HIDDEN));
        }
      });

      test('refuses another batch, and use after dispose', () => {
        const stream = net.stream({ batch: BATCH });
        expect(() => stream.push([[1, 2, 3, 4]])).toThrow(failure('shape'));
        stream.dispose();
        expect(() => stream.push(runtime.tensor(steps[0], { shape }))).toThrow(failure('disposed'));
        expect(() => stream.reset()).toThrow(failure('disposed'));
      });
    });

    test('save and load reproduce weights and outputs bit for bit', async () => {
      const net = await runtime.load(model(), { seed: 6 });
      const bytes = await net.save({ note: 'any text' });
      const loaded = await runtime.load(model(), { weights: bytes });
      expect(await weightsOf(loaded)).toEqual(await weightsOf(net));
      expect([...(await loaded.run(input(x)).read())]).toEqual([...(await net.run(input(x)).read())]);
      expect([...(await loaded.save({ note: 'any text' }))]).toEqual([...bytes]);
      const { metadata, tensors } = parseSafetensors(bytes);
      expect(metadata).toEqual({ format: 'pt', note: 'any text' });
      expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual(
        model().parameters.map(({ name, shape }) => [name, shape]),
      );
      expect(net.parameterCount).toBe(
        [...tensors.values()].reduce((count, { shape }) => count + sizeOf(shape), 0),
      );
    });

    test('a file of another model is refused by the name of a tensor', async () => {
      const bytes = await (await runtime.load(model())).save();
      const others: [Partial<RecurrentOptions>, RegExp][] = [
        [{ hiddenSize: HIDDEN + 1 }, /"weight_ih_l0" must have shape .*; was the file saved from another/],
        [{ inputSize: INPUTS + 1 }, /"weight_ih_l0" must have shape/],
        [{ numLayers: 3 }, /no tensor "weight_ih_l2"/],
        [{ numLayers: 1 }, /the model has no parameter "weight_ih_l1"/],
        [{ bias: false }, /the model has no parameter "bias_ih_l0"/],
      ];
      for (const [options, message] of others) {
        const loading = runtime.load(model(options), { weights: bytes });
        await expect(loading).rejects.toThrow(failure('file'));
        await expect(loading).rejects.toThrow(message);
      }
      for (const other of kindNames.filter((other) => other !== kind)) {
        const options = { inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 2 };
        const loading = runtime.load(recurrentKinds[other].make(options), { weights: bytes });
        await expect(loading).rejects.toThrow(/"weight_ih_l0" must have shape/);
      }
      await expect(runtime.load(model(), { weights: bytes.subarray(0, -4) })).rejects.toThrow(
        failure('file'),
      );
    });
  });

  test('a stream of a Sequential takes tokens and carries the states of its recurrent layer', async () => {
    const net = await runtime.load(
      new Sequential([
        new Embedding({ numEmbeddings: 9, embeddingDim: INPUTS }),
        new LSTM({ inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 2 }),
        new Linear({ inputSize: HIDDEN, outputSize: 9 }),
      ]),
    );
    const tokens = [3, 8, 0, 0, 5];
    const { output, states } = net.runWithStates(tokens.map((token) => [token]));
    expect(Object.keys(states)).toEqual(['1.h', '1.c']);
    const whole = await output.read();
    using stream = net.stream();
    for (const [t, token] of tokens.entries())
      expectClose(await stream.push(token).read(), whole.slice(9 * t, 9 * t + 9));
    const onward = net.run([[7]], { states });
    expectClose(await stream.push([7]).read(), await onward.read());
  });

  test('a file with a tensor of the right size and another shape is refused', async () => {
    const bytes = await (await runtime.load(new Embedding({ numEmbeddings: 4, embeddingDim: 6 }))).save();
    await expect(
      runtime.load(new Embedding({ numEmbeddings: 6, embeddingDim: 4 }), { weights: bytes }),
    ).rejects.toThrow(/"weight" must have shape \[6, 4\], got \[4, 6\]/);
  });

  test('a model without states has no stream', async () => {
    const net = await runtime.load(new Linear({ inputSize: 2, outputSize: 2 }));
    expect(() => net.stream()).toThrow(failure('unsupported'));
  });
});
