// A net in a browser: training steps and a stream against the CPU, and a profile.
import { afterAll, beforeAll, expect, test } from 'vitest';

import { adam, crossEntropy, Trainer } from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  createRuntime,
  Dropout,
  Embedding,
  Linear,
  LSTM,
  parseSafetensors,
  Sequential,
  type Runtime,
} from '../../src/index.ts';
import { distance } from '../layer_run.ts';

const CLASSES = 11;
const model = (): Sequential =>
  new Sequential([
    new Embedding({ numEmbeddings: CLASSES, embeddingDim: 6 }),
    new LSTM({ inputSize: 6, hiddenSize: 8, numLayers: 2 }),
    new Dropout({ p: 0.3 }),
    new Linear({ inputSize: 8, outputSize: CLASSES }),
  ]);
/** (T 5, B 3) */
const tokens = Array.from({ length: 5 }, (_, t) => [0, 1, 2].map((b) => (3 * t + 5 * b) % CLASSES));

let gpu: Runtime;
let cpu: Runtime;
beforeAll(async () => {
  gpu = await createRuntime({ backend: 'webgpu' });
  cpu = await createRuntime({ backend: 'cpu' });
});
afterAll(() => {
  gpu.dispose();
  cpu.dispose();
});

test('training steps with lengths, dropout and clipping give the losses and weights of the CPU', async () => {
  const train = async (runtime: Runtime): Promise<[losses: number[], weights: number[]]> => {
    using net = await runtime.load(model(), { seed: 3 });
    using trainer = new Trainer(net, {
      loss: crossEntropy,
      optimizer: adam({ lr: 0.01 }),
      clipNorm: 0.5,
      seed: 9,
    });
    const losses: number[] = [];
    for (let i = 0; i < 3; i++) losses.push(await trainer.step(tokens, tokens, { lengths: [2, 5, 1] }));
    const { tensors } = parseSafetensors(await net.save());
    return [losses, [...tensors.values()].flatMap(({ data }) => Array.from(data as Float32Array))];
  };
  const [losses, weights] = await train(gpu);
  const [expectedLosses, expectedWeights] = await train(cpu);
  expect(distance(losses, expectedLosses)).toBeLessThan(1e-5);
  expect(distance(weights, expectedWeights)).toBeLessThan(1e-4);
  expect(losses[2]).toBeLessThan(losses[0]);
});

test("a stream's outputs equal those of run and those of the CPU", async () => {
  const pushed = async (runtime: Runtime): Promise<number[]> => {
    using net = await runtime.load(model(), { seed: 4 });
    const stream = net.stream({ batch: 3 });
    const outputs = [];
    for (const step of tokens) outputs.push(...(await stream.push(step).read()));
    return outputs;
  };
  using net = await gpu.load(model(), { seed: 4 });
  const got = await pushed(gpu);
  expect(distance(got, await net.run(tokens).read())).toBeLessThan(1e-5);
  expect(distance(got, await pushed(cpu))).toBeLessThan(1e-5);
});

test('a calibration and a profile use the same method, timestamps only where the device has them', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const { method } = await gpu.calibrate();
  const hasTimestamps = adapter?.features.has('timestamp-query') === true;
  expect(hasTimestamps ? ['timestamps', 'slopes'] : ['slopes']).toContain(method);
  using net = await gpu.load(model());
  const profile = await tools.profile(net, gpu.tensor(tokens, { dtype: 'i32' }));
  expect(profile.method).toBe(method);
  expect(profile.steps.length).toBeGreaterThan(0);
  for (const { seconds } of profile.steps) {
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(1);
  }
});
