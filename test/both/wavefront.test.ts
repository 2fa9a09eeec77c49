// Wavefronts against layers that run one after the other: outputs, states, gradients and loops.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { mse, sgd, Trainer } from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import { createRuntime, Dropout, Sequential, type RunOptions, type Runtime } from '../../src/index.ts';
import { loopsOf } from '../loops.ts';
import { normalNumbers, normalTensor } from '../normal.ts';
import { backend } from '../setup/backend.ts';
import { BATCH, HIDDEN, INPUTS, kindNames, stackedLayer, STEPS } from '../stacked_layer.ts';

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
  const all = kindNames.flatMap((kind) =>
    Object.entries(masks).map(([what, options]) => [kind, what, options] as const),
  );

  test.each(all)(
    '%s with %s: output, states and gradients equal those of layers one after the other',
    async (kind, _, options) => {
      const x = normalTensor(runtime, 1, [STEPS, BATCH, INPUTS]);
      const y = normalTensor(runtime, 2, [STEPS, BATCH, HIDDEN]);
      const results = [];
      for (const wavefront of [false, true]) {
        const net = await runtime.load(stackedLayer(kind, { wavefront }), { seed: 4 });
        expect(loopsOf(tools.plan(net, x, options))).toEqual(wavefront ? [3] : [1, 1, 1]);
        const { output, states } = net.runWithStates(x, options);
        const read = [await output.read()];
        for (const state of Object.values(states)) read.push(await state.read());
        const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 0.5 }) });
        expect(loopsOf(tools.plan(trainer, x, y, options))).toEqual(wavefront ? [3] : [1, 1, 1]);
        const losses = [await trainer.step(x, y, options), await trainer.step(x, y, options)];
        results.push([...read, losses, await net.context.weights[0].read()]);
        net.dispose();
      }
      const [apart, together] = results;
      expect(
        together.map((numbers, i) => furthest(numbers, apart[i])).filter((error) => !(error < 1e-5)),
      ).toEqual([]);
      // The optimizer has changed the weights.
      const [first, second] = apart.at(-2) as number[];
      expect(second).toBeLessThan(first);
    },
  );

  test('several segments give the same weights', async () => {
    const x = normalTensor(runtime, 3, [STEPS, BATCH, INPUTS]);
    const y = normalTensor(runtime, 5, [STEPS, BATCH, HIDDEN]);
    const weights = [];
    for (const own of [{ wavefront: false }, { wavefront: true, recompute: 4 }]) {
      const net = await runtime.load(stackedLayer('LSTM', own), { seed: 4 });
      const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 0.5 }) });
      // Two segments, each computed twice.
      expect(loopsOf(tools.plan(trainer, x, y))).toEqual(own.wavefront ? [3, 3, 3, 3] : [1, 1, 1]);
      await trainer.step(x, y);
      weights.push(await net.context.weights[0].read());
      net.dispose();
    }
    expect(furthest(weights[0], weights[1])).toBeLessThan(1e-5);
  });

  test('f16 weights give the same output', async () => {
    const x = normalTensor(runtime, 6, [STEPS, BATCH, INPUTS]);
    const outputs = [];
    for (const wavefront of [false, true]) {
      const net = await runtime.load(stackedLayer('GRU', { wavefront }), { seed: 4, precision: 'f16' });
      expect(loopsOf(tools.plan(net, x))).toEqual(wavefront ? [3] : [1, 1, 1]);
      outputs.push(await net.run(x).read());
    }
    expect(furthest(outputs[0], outputs[1])).toBeLessThan(1e-5);
  });

  test('int8 weights are refused', async () => {
    const x = normalTensor(runtime, 1, [STEPS, BATCH, INPUTS]);
    const net = await runtime.load(stackedLayer('GRU', { wavefront: true }), { precision: 'int8' });
    expect(() => net.run(x)).toThrow(
      'gru: layers with int8 weights cannot share launches; leave out wavefront',
    );
  });

  test('dropout behind the layers draws the same numbers', async () => {
    const x = normalTensor(runtime, 1, [STEPS, BATCH, INPUTS]);
    const y = normalTensor(runtime, 2, [STEPS, BATCH, HIDDEN]);
    const losses = [];
    for (const wavefront of [false, true]) {
      const net = await runtime.load(
        new Sequential([stackedLayer('LSTM', { wavefront }), new Dropout({ p: 0.5 })]),
        {
          seed: 4,
        },
      );
      const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 0.5 }), seed: 9 });
      expect(loopsOf(tools.plan(trainer, x, y))).toEqual(wavefront ? [3] : [1, 1, 1]);
      losses.push([await trainer.step(x, y), await trainer.step(x, y)]);
    }
    expect(furthest(losses[0], losses[1])).toBeLessThan(1e-6);
  });

  test("a stream's outputs equal those of run", async () => {
    const net = await runtime.load(stackedLayer('LSTM', { wavefront: true }), { seed: 4 });
    const data = normalNumbers(7, [STEPS, INPUTS]);
    const whole = await net.run(runtime.tensor(data, { shape: [STEPS, 1, INPUTS] })).read();
    const stream = net.stream();
    const steps = [];
    for (let t = 0; t < STEPS; t++)
      steps.push(...(await stream.push(data.subarray(t * INPUTS, (t + 1) * INPUTS)).read()));
    expect(furthest(steps, whole)).toBeLessThan(1e-5);
  });
});
