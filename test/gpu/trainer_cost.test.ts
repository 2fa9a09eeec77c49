// The cost of a training step: submits and GPU objects, counted and not timed.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import {
  adam,
  crossEntropy,
  crossEntropyWith,
  rmsprop,
  sgd,
  type Optimizer,
  Trainer,
} from '../../src/train/index.ts';
import {
  createRuntime,
  Dropout,
  Embedding,
  Linear,
  LSTM,
  Sequential,
  type Runtime,
} from '../../src/index.ts';
import { countingBatches, TOKENS, tokenModel, type CellName } from '../token_model.ts';

describe('the cost of a step', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend: 'webgpu' });
  });
  afterAll(() => runtime.dispose());
  afterEach(() => vi.restoreAllMocks());

  const METHODS = [
    'createBindGroup',
    'createBindGroupLayout',
    'createPipelineLayout',
    'createComputePipeline',
    'createComputePipelineAsync',
    'createShaderModule',
    'createBuffer',
  ] as const;

  /** Counts calls on the runtime's device from now on. */
  function count(): { submits: () => number; created: () => Record<string, number> } {
    const { device } = runtime.backend as unknown as { device: GPUDevice };
    const submit = vi.spyOn(Object.getPrototypeOf(device.queue) as GPUQueue, 'submit');
    const makers = METHODS.map(
      (name) => [name, vi.spyOn(Object.getPrototypeOf(device) as GPUDevice, name)] as const,
    );
    return {
      submits: () => submit.mock.calls.length,
      created: () =>
        Object.fromEntries(
          makers.flatMap(([name, { mock }]) => (mock.calls.length > 0 ? [[name, mock.calls.length]] : [])),
        ),
    };
  }

  const optimizers: [string, CellName, Optimizer, number | undefined][] = [
    ['RNN, sgd', 'RNN', sgd({ lr: 0.1 }), undefined],
    ['GRU, momentum', 'GRU', sgd({ lr: 0.1, momentum: 0.9 }), undefined],
    ['LSTM, adam, clipped', 'LSTM', adam(), 1],
  ];
  test.each(optimizers)(
    '%s: one submit, and no GPU object after the second step',
    async (_, cell, optimizer, clipNorm) => {
      using net = await runtime.load(tokenModel(cell));
      const trainer = new Trainer(net, { loss: crossEntropy, optimizer, ...(clipNorm && { clipNorm }) });
      const data = countingBatches(8);
      const first = count();
      await trainer.step(data[0].x, data[0].y);
      expect(first.submits()).toBe(1);
      // The counters work: the first step creates what the others use.
      expect(first.created()).toMatchObject({
        createBindGroup: expect.any(Number) as number,
        createBuffer: expect.any(Number) as number,
      });
      await trainer.step(data[1].x, data[1].y);
      expect(first.submits()).toBe(2);
      vi.restoreAllMocks();
      const later = count();
      for (const [i, { x, y }] of data.slice(2).entries()) {
        await trainer.step(x, y);
        expect(later.submits()).toBe(i + 1);
      }
      trainer.learningRate /= 2;
      await trainer.step(data[0].x, data[0].y);
      expect(later.submits()).toBe(data.length - 1);
      expect(later.created()).toEqual({});
    },
  );

  test('also with a stateful trainer, lengths, dropout, a schedule and every option of an optimizer', async () => {
    const model = new Sequential([
      new Embedding({ numEmbeddings: TOKENS, embeddingDim: 3 }),
      new Dropout({ p: 0.3 }),
      new LSTM({ inputSize: 3, hiddenSize: 7, numLayers: 2, dropout: 0.2, zoneout: 0.1 }),
      new Linear({ inputSize: 7, outputSize: TOKENS }),
    ]);
    using net = await runtime.load(model);
    const trainer = new Trainer(net, {
      loss: crossEntropyWith({ ignoreIndex: 0, labelSmoothing: 0.1 }),
      optimizer: rmsprop({
        lr: (step) => 1e-3 / (1 + step),
        weightDecay: 0.1,
        momentum: 0.5,
        centered: true,
      }),
      clipValue: 0.1,
      clipNorm: 1,
      seed: 2 ** 40,
      stateful: true,
    });
    const data = countingBatches(6);
    const counter = count();
    const step = (i: number): Promise<number> =>
      trainer.step(data[i].x, data[i].y, { lengths: data[i].x[0].map((_, b) => 1 + ((b + i) % 6)) });
    await step(0);
    await step(1);
    expect(counter.submits()).toBe(2);
    vi.restoreAllMocks();
    const later = count();
    await step(2);
    trainer.resetStates([1, 3]);
    await step(3);
    trainer.resetStates();
    await step(4);
    await step(5);
    expect(later.submits()).toBe(4);
    expect(later.created()).toEqual({});
  });

  test('also with tensors as arguments', async () => {
    using net = await runtime.load(tokenModel('LSTM'));
    const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam() });
    const [{ x, y }] = countingBatches(1);
    const onDevice = (rows: number[][]): ReturnType<Runtime['tensor']> =>
      runtime.tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0].length] });
    using input = onDevice(x);
    using target = onDevice(y);
    await trainer.step(input, target);
    await trainer.step(input, target);
    const later = count();
    await trainer.step(input, target);
    expect(later.submits()).toBe(1);
    expect(later.created()).toEqual({});
  });
});
