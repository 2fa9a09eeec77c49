// Layers that share each launch, each a step behind the one below: what they compute, in how many launches, and when they do.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  createRuntime,
  Dropout,
  GRU,
  LSTM,
  mse,
  Random,
  RNN,
  Sequential,
  sgd,
  type Layer,
  type Plan,
  type RecurrentOptions,
  type RunOptions,
  type Runtime,
} from '../../src/index.ts';
import { backend } from '../setup/backend.ts';

const STEPS = 6;
const BATCH = 3;
const INPUTS = 5;
const HIDDEN = 7;
const kinds = {
  RNN: (options: RecurrentOptions) => new RNN(options),
  LSTM: (options: RecurrentOptions) => new LSTM(options),
  GRU: (options: RecurrentOptions) => new GRU(options),
} as const;
type Kind = keyof typeof kinds;

function layersOf(kind: Kind, own: Partial<RecurrentOptions> = {}): Layer {
  return kinds[kind]({ inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 3, ...own });
}

function noise(seed: number, size: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: size }, () => random.normal());
}

/** Of how many layers or directions each loop over time is. */
const loopsOf = ({ steps }: Plan): number[] =>
  steps.flatMap(({ op, attrs }) =>
    op.name === 'recurrent' ? [(attrs as { pseudoLayers: number }).pseudoLayers] : [],
  );

const furthest = (one: ArrayLike<number>, other: ArrayLike<number>): number =>
  Math.max(...Array.from(one, (x, i) => Math.abs(x - other[i])));

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  const masks: Record<string, RunOptions> = {
    'no mask': {},
    lengths: { lengths: [6, 1, 4] },
    mask: {
      mask: Array.from({ length: STEPS }, (_, t) => [0, 1, 2].map((b) => Number((3 * t + b) % 4 !== 1))),
    },
  };
  const all = (Object.keys(kinds) as Kind[]).flatMap((kind) =>
    Object.entries(masks).map(([what, options]) => [kind, what, options] as const),
  );

  test.each(all)(
    '%s with %s: output, states and gradients of layers one after the other',
    async (kind, _, told) => {
      const x = runtime.tensor(noise(1, STEPS * BATCH * INPUTS), { shape: [STEPS, BATCH, INPUTS] });
      const y = runtime.tensor(noise(2, STEPS * BATCH * HIDDEN), { shape: [STEPS, BATCH, HIDDEN] });
      const results = [];
      for (const wavefront of [false, true]) {
        const net = await runtime.load(layersOf(kind, { wavefront }), { seed: 4 });
        expect(loopsOf(net.plan(x, told))).toEqual(wavefront ? [3] : [1, 1, 1]);
        const { output, states } = net.runWithStates(x, told);
        const read = [await output.read()];
        for (const state of Object.values(states)) read.push(await state.read());
        const trainer = net.trainer({ loss: mse, optimizer: sgd({ lr: 0.5 }) });
        expect(loopsOf(trainer.plan(x, y, told))).toEqual(wavefront ? [3] : [1, 1, 1]);
        const losses = [await trainer.step(x, y, told), await trainer.step(x, y, told)];
        results.push([...read, losses, await net.weights.read()]);
        net.dispose();
      }
      const [apart, together] = results;
      expect(
        together.map((numbers, i) => furthest(numbers, apart[i])).filter((error) => !(error < 1e-5)),
      ).toEqual([]);
      // The steps of the optimizer have moved the weights.
      const [first, second] = apart.at(-2) as number[];
      expect(second).toBeLessThan(first);
    },
  );

  test('sequences that take several segments of time', async () => {
    const x = runtime.tensor(noise(3, STEPS * BATCH * INPUTS), { shape: [STEPS, BATCH, INPUTS] });
    const y = runtime.tensor(noise(5, STEPS * BATCH * HIDDEN), { shape: [STEPS, BATCH, HIDDEN] });
    const weights = [];
    for (const own of [{ wavefront: false }, { wavefront: true, recompute: 4 }]) {
      const net = await runtime.load(layersOf('LSTM', own), { seed: 4 });
      const trainer = net.trainer({ loss: mse, optimizer: sgd({ lr: 0.5 }) });
      // Two segments, each of which is computed again.
      expect(loopsOf(trainer.plan(x, y))).toEqual(own.wavefront ? [3, 3, 3, 3] : [1, 1, 1]);
      await trainer.step(x, y);
      weights.push(await net.weights.read());
      net.dispose();
    }
    expect(furthest(weights[0], weights[1])).toBeLessThan(1e-5);
  });

  test('f16 weights', async () => {
    const x = runtime.tensor(noise(6, STEPS * BATCH * INPUTS), { shape: [STEPS, BATCH, INPUTS] });
    const outputs = [];
    for (const wavefront of [false, true]) {
      const net = await runtime.load(layersOf('GRU', { wavefront }), { seed: 4, precision: 'f16' });
      expect(loopsOf(net.plan(x))).toEqual(wavefront ? [3] : [1, 1, 1]);
      outputs.push(await net.run(x).read());
    }
    expect(furthest(outputs[0], outputs[1])).toBeLessThan(1e-5);
  });

  test('int8 weights are refused', async () => {
    const x = runtime.tensor(noise(1, STEPS * BATCH * INPUTS), { shape: [STEPS, BATCH, INPUTS] });
    const net = await runtime.load(layersOf('GRU', { wavefront: true }), { precision: 'int8' });
    expect(() => net.run(x)).toThrow(
      'gru: layers with int8 weights cannot share launches; leave out wavefront',
    );
  });

  test('what is drawn behind the layers is the same', async () => {
    const x = runtime.tensor(noise(1, STEPS * BATCH * INPUTS), { shape: [STEPS, BATCH, INPUTS] });
    const y = runtime.tensor(noise(2, STEPS * BATCH * HIDDEN), { shape: [STEPS, BATCH, HIDDEN] });
    const losses = [];
    for (const wavefront of [false, true]) {
      const net = await runtime.load(new Sequential([layersOf('LSTM', { wavefront }), new Dropout(0.5)]), {
        seed: 4,
      });
      const trainer = net.trainer({ loss: mse, optimizer: sgd({ lr: 0.5 }), seed: 9 });
      expect(loopsOf(trainer.plan(x, y))).toEqual(wavefront ? [3] : [1, 1, 1]);
      losses.push([await trainer.step(x, y), await trainer.step(x, y)]);
    }
    expect(furthest(losses[0], losses[1])).toBeLessThan(1e-6);
  });

  test('one step of a stream follows the other as one layer the other', async () => {
    const net = await runtime.load(layersOf('LSTM', { wavefront: true }), { seed: 4 });
    const data = noise(7, STEPS * INPUTS);
    const whole = await net.run(runtime.tensor(data, { shape: [STEPS, 1, INPUTS] })).read();
    const stream = net.stream();
    const steps = [];
    for (let t = 0; t < STEPS; t++)
      steps.push(...(await stream.push(data.subarray(t * INPUTS, (t + 1) * INPUTS)).read()));
    expect(furthest(steps, whole)).toBeLessThan(1e-5);
  });
});
