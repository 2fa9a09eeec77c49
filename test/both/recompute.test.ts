// `recompute` gives the same gradients bit for bit in less memory.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { adam, mse, Trainer } from '../../src/train/index.ts';
import { type Plan } from '../../src/tools/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  add,
  createRuntime,
  GRU,
  Linear,
  LSTM,
  type Layer,
  type Runtime,
  type Values,
} from '../../src/index.ts';
import { normalTensor } from '../normal.ts';
import { backend, on } from '../setup/backend.ts';

const temporaryBytes = ({ buffers }: Plan): number =>
  buffers.filter(({ kind }) => kind === 'temporary').reduce((total, { size }) => total + 4 * size, 0);

/** layer(linear(x)) + linear(x): the input of the layer has a second reader. */
function residual(layer: Layer, inputs: number, outputs: number): Layer {
  const linear = new Linear({ inputSize: inputs, outputSize: outputs });
  const parts = { linear, layer };
  const of = (part: string, values: Values): Values =>
    Object.fromEntries(
      Object.entries(values)
        .filter(([name]) => name.startsWith(part))
        .map(([name, value]) => [name.slice(part.length + 1), value]),
    );
  return {
    name: 'Residual',
    inputDType: 'f32',
    timeAxis: 0,
    causal: false,
    states: layer.states,
    parameters: Object.entries(parts).flatMap(([part, { parameters }]) =>
      parameters.map((parameter) => ({ ...parameter, name: `${part}.${parameter.name}` })),
    ),
    forward: (x, parameters, states, context) => {
      const hidden = linear.forward(x, of('linear', parameters)).output;
      const result = layer.forward(hidden, of('layer', parameters), states, context);
      return { output: add(result.output, hidden), states: result.states };
    },
  };
}

interface Trained {
  readonly losses: readonly number[];
  readonly weights: ArrayLike<number>;
  readonly plan: Plan;
}

/** Losses and weights after three steps on a batch of noise. */
async function train(
  runtime: Runtime,
  model: Layer,
  [steps, batch, width]: readonly [number, number, number],
  outputs: number,
  options: { readonly lengths?: readonly number[] } = {},
): Promise<Trained> {
  const net = await runtime.load(model, { seed: 1 });
  const trainer = new Trainer(net, { loss: mse, optimizer: adam({ lr: 0.01 }), seed: 3 });
  const x = normalTensor(runtime, 1, [steps, batch, width]);
  const y = normalTensor(runtime, 2, [steps, batch, outputs]);
  const plan = tools.plan(trainer, x, y, options);
  const losses: number[] = [];
  for (let step = 0; step < 3; step++) losses.push(await trainer.step(x, y, options));
  const weights = await net.context.weights[0].read();
  for (const item of [x, y, net]) item.dispose();
  return { losses, weights, plan };
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  const noisy = { dropout: 0.3, recurrentDropout: 0.2, zoneout: 0.1 };
  /** Models, each with its number of recurrent loops. */
  const models: Record<string, readonly [make: (recompute: boolean) => Layer, loops: number]> = {
    'three layers of LSTM': [
      (recompute) => new LSTM({ inputSize: 3, hiddenSize: 8, numLayers: 3, recompute }),
      3,
    ],
    'three layers of GRU that share launches': [
      (recompute) => new GRU({ inputSize: 3, hiddenSize: 8, numLayers: 3, wavefront: true, recompute }),
      1,
    ],
    'both directions of GRU with noise': [
      (recompute) =>
        new GRU({ inputSize: 3, hiddenSize: 4, numLayers: 2, bidirectional: true, recompute, ...noisy }),
      2,
    ],
    'a projected LSTM with noise': [
      (recompute) =>
        new LSTM({ inputSize: 3, hiddenSize: 11, projSize: 8, numLayers: 2, recompute, ...noisy }),
      2,
    ],
    'a residual around both directions of LSTM': [
      (recompute) =>
        residual(new LSTM({ inputSize: 8, hiddenSize: 4, bidirectional: true, recompute }), 3, 8),
      1,
    ],
    'a residual around both directions of GRU': [
      (recompute) => residual(new GRU({ inputSize: 8, hiddenSize: 4, bidirectional: true, recompute }), 3, 8),
      1,
    ],
  };
  test.each(
    Object.entries(models).flatMap(([name, [make, count]]) =>
      [true, false].map((masked) => [name, masked ? 'lengths' : 'no lengths', make, count, masked] as const),
    ),
  )('%s, %s: the same bits', async (_, __, make, count, masked) => {
    const options = masked ? { lengths: [9, 1, 4, 7] } : {};
    const [stored, again] = [
      await train(runtime, make(false), [9, 4, 3], 8, options),
      await train(runtime, make(true), [9, 4, 3], 8, options),
    ];
    expect(again.losses).toEqual(stored.losses);
    expect(new Set(stored.losses).size).toBe(3);
    expect(again.weights).toEqual(stored.weights);
    const loops = ({ plan }: Trained): number =>
      plan.steps.filter(({ op }) => op.name === 'recurrent').length;
    expect(loops(stored)).toBe(count);
    // Each forward loop runs twice.
    expect(loops(again)).toBe(2 * count);
  });
});

test.each(on('cpu'))('layers share the memory of what they recompute', async () => {
  const runtime = await createRuntime({ backend: 'cpu' });
  const bytes = async (recompute: boolean): Promise<number> => {
    const net = await runtime.load(new LSTM({ inputSize: 16, hiddenSize: 16, numLayers: 6, recompute }));
    const trainer = new Trainer(net, { loss: mse, optimizer: adam() });
    const [x, y] = [normalTensor(runtime, 1, [64, 8, 16]), normalTensor(runtime, 2, [64, 8, 16])];
    return temporaryBytes(tools.plan(trainer, x, y));
  };
  expect(await bytes(true)).toBeLessThan(0.6 * (await bytes(false)));
  runtime.dispose();
});

test.each(on('cpu'))('in segments the gradient is the same, in the memory of a few segments', async () => {
  const runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
  for (const bidirectional of [false, true]) {
    const make = (recompute: boolean | number): Layer =>
      new GRU({ inputSize: 3, hiddenSize: 4, numLayers: 2, bidirectional, recompute });
    const outputs = bidirectional ? 8 : 4;
    const options = { lengths: [40, 1, 17, 23] };
    const stored = await train(runtime, make(false), [40, 4, 3], outputs, options);
    const again = await train(runtime, make(7), [40, 4, 3], outputs, options);
    expect(again.losses[1]).toBeCloseTo(stored.losses[1], 12);
    Array.from(again.weights).forEach((weight, i) => expect(weight).toBeCloseTo(stored.weights[i], 10));
    expect(temporaryBytes(again.plan)).toBeLessThan(temporaryBytes(stored.plan));
  }
  runtime.dispose();
});
