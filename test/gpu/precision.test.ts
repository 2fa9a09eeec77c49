// Nets with f16 or int8 weights: their distance from float32, streams, training and files.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { adam, crossEntropy, sgd, Trainer } from '../../src/train/index.ts';
import {
  createRuntime,
  GRU,
  Linear,
  LSTM,
  MinGRU,
  MinLSTM,
  parseSafetensors,
  Random,
  Sequential,
  type Layer,
  type Runtime,
  type Tensor,
  type WeightPrecision,
} from '../../src/index.ts';
import { halfBits, halfToNumber } from '../../src/core/half.ts';
import { normalTensor } from '../normal.ts';

let gpu: Runtime;
let checked: Runtime;
beforeAll(async () => {
  gpu = await createRuntime({ backend: 'webgpu' });
  checked = await createRuntime({ backend: 'webgpu', check: true });
});
afterAll(() => {
  gpu.dispose();
  checked.dispose();
});

async function outputOf(runtime: Runtime, model: Layer, precision: WeightPrecision, x: Tensor, seed = 5) {
  using net = await runtime.load(model, { precision, seed });
  using output = net.run(x);
  return await output.read();
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i])));

describe('outputs are within the documented distance of float32', () => {
  // The table of ARCHITECTURE.md. Outputs are within -1 to 1.
  const bounds = { f16: 5e-4, int8: 1e-2 } as const;
  test.each([
    ['LSTM', new LSTM({ inputSize: 256, hiddenSize: 256 })],
    ['GRU', new GRU({ inputSize: 256, hiddenSize: 256 })],
  ])('%s 256, 64 steps of normal input', async (_, model: Layer) => {
    using x = normalTensor(gpu, 1, [64, 1, 256]);
    const exact = await outputOf(gpu, model, 'float32', x);
    for (const precision of ['f16', 'int8'] as const) {
      const error = distance(await outputOf(gpu, model, precision, x), exact);
      expect(error).toBeLessThan(bounds[precision]);
      // Rounding has an effect.
      expect(error).toBeGreaterThan(bounds[precision] / 100);
    }
  });
});

const small = (): Layer =>
  new Sequential([
    new LSTM({ inputSize: 6, hiddenSize: 9, numLayers: 2, bidirectional: true }),
    new Linear({ inputSize: 18, outputSize: 5 }),
  ]);

describe.each(['f16', 'int8'] as const)('%s', (precision) => {
  const layers: Record<string, Layer> = {
    'a stack with a head': small(),
    'a projecting LSTM': new LSTM({ inputSize: 6, hiddenSize: 9, projSize: 5 }),
    MinGRU: new MinGRU({ inputSize: 6, hiddenSize: 7 }),
    MinLSTM: new MinLSTM({ inputSize: 6, hiddenSize: 7, bidirectional: true }),
  };
  test.each(Object.entries(layers))('%s: outputs equal those of the CPU', async (_, model) => {
    using cpu = await createRuntime({ backend: 'cpu' });
    const [got, expected] = await Promise.all(
      [checked, cpu].map((runtime) =>
        outputOf(runtime, model, precision, normalTensor(runtime, 1, [4, 3, 6])),
      ),
    );
    expect(distance(got, expected)).toBeLessThan(1e-5);
    // Close to float32, but not equal.
    const exact = await outputOf(cpu, model, 'float32', normalTensor(cpu, 1, [4, 3, 6]));
    expect(distance(expected, exact)).toBeGreaterThan(1e-6);
    expect(distance(expected, exact)).toBeLessThan(0.03);
  });

  test("a stream's outputs equal those of run, and both use weights that were written", async () => {
    const model = new Sequential([
      new GRU({ inputSize: 6, hiddenSize: 8 }),
      new Linear({ inputSize: 8, outputSize: 3 }),
    ]);
    using net = await gpu.load(model, { precision });
    using stream = net.stream();
    const x = normalTensor(gpu, 1, [5, 1, 6]);
    const steps = await x.read();
    const streamed = async (): Promise<number[]> => {
      stream.reset();
      const all: number[] = [];
      for (let t = 0; t < 5; t++)
        all.push(...(await stream.push(Float32Array.from(steps.slice(6 * t, 6 * t + 6))).read()));
      return all;
    };
    const first = await net.run(x).read();
    expect(distance(await streamed(), first)).toBeLessThan(1e-5);
    net.context.weights[0].write((await net.context.weights[0].read()).map((w) => w / 3));
    const second = await net.run(x).read();
    expect(distance(second, first)).toBeGreaterThan(1e-3);
    expect(distance(await streamed(), second)).toBeLessThan(1e-5);
  });
});

describe('training with f16', () => {
  // The target is the token of two steps before, of 4 tokens.
  const random = new Random(9);
  const [steps, batch] = [8, 8];
  const tokens = Array.from({ length: steps }, () =>
    Array.from({ length: batch }, () => Math.floor(random.uniform(0, 4))),
  );
  const targets = tokens.map((_, t) => tokens[Math.max(0, t - 2)]);
  const inputs = tokens.map((row) => row.map((token) => [0, 1, 2, 3].map((n) => Number(n === token))));
  const model = (): Layer =>
    new Sequential([
      new GRU({ inputSize: 4, hiddenSize: 16, recompute: 4 }),
      new Linear({ inputSize: 16, outputSize: 4 }),
    ]);

  async function train(precision: WeightPrecision): Promise<{ losses: number[]; weights: number[] }> {
    using net = await gpu.load(model(), { seed: 4, precision });
    using trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam({ lr: 0.03 }) });
    const losses: number[] = [];
    for (let i = 0; i < 50; i++) losses.push(await trainer.step(inputs, targets));
    const { tensors } = parseSafetensors(await net.save());
    return { losses, weights: [...tensors.values()].flatMap(({ data }) => Array.from(data)) };
  }

  test('learns as float32 does, and updates float32 weights', async () => {
    const [half, full] = [await train('f16'), await train('float32')];
    expect(full.losses[0]).toBeGreaterThan(1.3);
    expect(half.losses.at(-1)).toBeLessThan(0.2);
    const differences = half.losses.map((loss, i) => Math.abs(loss - full.losses[i]));
    expect(Math.max(...differences)).toBeLessThan(1e-3);
    expect(Math.max(...differences)).toBeGreaterThan(0);
    // The weights have updates that are smaller than the rounding.
    const onGrid = half.weights.filter((w) => halfToNumber(halfBits(w)) === w);
    expect(onGrid.length).toBeLessThan(half.weights.length / 100);
  });

  test('a step passes check mode', async () => {
    using net = await checked.load(model(), { seed: 4, precision: 'f16' });
    using trainer = new Trainer(net, { loss: crossEntropy, optimizer: sgd({ lr: 0.1 }), clipNorm: 1 });
    expect(await trainer.step(inputs, targets)).toBeGreaterThan(1.3);
  });
});
