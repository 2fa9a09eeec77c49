// Models whose parameters take more than one binding: in several flat tensors they run, stream, train and save as in one.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  createRuntime,
  Embedding,
  Linear,
  LSTM,
  Sequential,
  type LoadOptions,
  type Net,
  type Runtime,
} from '../../src/index.ts';
import { explain, plan } from '../../src/tools/index.ts';
import { adam, crossEntropy, Trainer, type TrainerOptions } from '../../src/train/index.ts';
import type { NumberArray } from '../../src/core/shape.ts';
import { failure } from '../failure.ts';
import { backend } from '../setup/backend.ts';

const LIMIT = 4096;
const model = () =>
  new Sequential([
    new Embedding({ numEmbeddings: 30, embeddingDim: 8 }),
    new LSTM({ inputSize: 8, hiddenSize: 12, numLayers: 2 }),
    new Linear({ inputSize: 12, outputSize: 30 }),
  ]);
const tokens = [
  [1, 2],
  [3, 4],
  [5, 29],
];

describe(`on ${backend}`, () => {
  let whole: Runtime;
  let limited: Runtime;
  beforeAll(async () => {
    [whole, limited] = [await createRuntime({ backend }), await createRuntime({ backend })];
    Object.assign(limited.backend, { target: { ...limited.backend.target, bindingBytes: LIMIT } });
  });
  afterAll(() => {
    whole.dispose();
    limited.dispose();
  });

  const both = (options: LoadOptions = { seed: 3 }): Promise<Net[]> =>
    Promise.all([whole, limited].map((runtime) => runtime.load(model(), options)));

  test('each flat tensor fits a binding, and parameters keep their order', async () => {
    const [one, several] = await both();
    expect(one.context.weights).toHaveLength(1);
    const { weights, layout } = several.context;
    expect(weights.length).toBeGreaterThan(2);
    for (const { shape } of weights) expect(4 * shape[0]).toBeLessThanOrEqual(LIMIT);
    expect(layout.entries.map(({ name }) => name)).toEqual(
      one.context.layout.entries.map(({ name }) => name),
    );
    expect(explain(several, tokens)).toContain('weights.1[');
    expect(several.parameterCount).toBe(one.parameterCount);
  });

  test.each<LoadOptions>([{ seed: 3 }, { seed: 3, precision: 'f16' }, { seed: 3, precision: 'int8' }])(
    'runs and streams as in one tensor, bit for bit: %o',
    async (options) => {
      const results = [];
      for (const net of await both(options)) {
        const { output, states } = net.runWithStates(tokens);
        const stream = net.stream({ batch: 2 });
        const pushes = [];
        for (const step of tokens) pushes.push(await stream.push(step).read());
        results.push([await output.read(), await states['1.c'].read(), ...pushes, await net.save()]);
      }
      expect(results[1]).toEqual(results[0]);
    },
  );

  test.each<[string, Partial<TrainerOptions>]>([
    ['', {}],
    ['clipped, stateful, skipping', { clipValue: 0.01, stateful: true, onNonFinite: 'skip' }],
  ])('trains as in one tensor, bit for bit, also from a checkpoint %s', async (_, options) => {
    const results = [];
    for (const net of await both()) {
      const recipe = { loss: crossEntropy, optimizer: adam({ lr: 0.1 }), ...options };
      const trainer = new Trainer(net, recipe);
      const losses = [await trainer.step(tokens, tokens), await trainer.step(tokens, tokens)];
      const checkpoint = await trainer.save();
      losses.push(await trainer.step(tokens, tokens));
      const after = await net.save();
      trainer.load(checkpoint);
      losses.push(await trainer.step(tokens, tokens));
      expect(losses[3]).toBe(losses[2]);
      expect(await net.save()).toEqual(after);
      results.push([losses, checkpoint, after]);
    }
    expect(results[1]).toEqual(results[0]);
  });

  test('the norm of the gradient is that of all parameters', async () => {
    const results: NumberArray[] = [];
    for (const net of await both()) {
      const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam({ lr: 0.1 }), clipNorm: 1e-3 });
      for (let i = 0; i < 3; i++) await trainer.step(tokens, tokens);
      expect(plan(trainer, tokens, tokens).outputs.map(({ name }) => name)).toContain(
        net.context.weights.length > 1 ? 'optimizer.exp_avg.1' : 'optimizer.exp_avg',
      );
      results.push(await net.run(tokens).read());
    }
    results[1].forEach((x, i) => expect(x).toBeCloseTo(results[0][i], 4));
  });

  test('a parameter that does not fit is refused by name', async () => {
    await expect(limited.load(new Linear({ inputSize: 64, outputSize: 32 }))).rejects.toThrow(
      failure(
        'unsupported',
        /load: the parameter "weight" of Linear.*, \[32, 64\], has 8192 bytes, above the device's limit of 4096/,
      ),
    );
  });
});
