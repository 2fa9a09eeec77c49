// What a training step costs the device: counted, not timed.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import {
  adam,
  createRuntime,
  crossEntropy,
  crossEntropyWith,
  Dropout,
  Embedding,
  GRU,
  Linear,
  LSTM,
  rmsprop,
  RNN,
  Sequential,
  sgd,
  type Layer,
  type Optimizer,
  type Runtime,
} from '../../src/index.ts';
import { Random } from '../../src/core/random.ts';

const CELLS = { RNN, LSTM, GRU };
type CellName = keyof typeof CELLS;
const TOKENS = 5;
const character = (cell: CellName): Layer =>
  new Sequential([
    new Embedding(TOKENS, 3),
    new CELLS[cell]({ inputSize: 3, hiddenSize: 7, numLayers: 2 }),
    new Linear(7, TOKENS),
  ]);

/** Sequences that count up from a random token: what comes next follows from what is there. */
function batches(count: number, steps = 6, batch = 4): { x: number[][]; y: number[][] }[] {
  const random = new Random(7);
  return Array.from({ length: count }, () => {
    const starts = Array.from({ length: batch }, () => Math.floor(random.uniform(0, TOKENS)));
    const at = (shift: number): number[][] =>
      Array.from({ length: steps }, (_, t) => starts.map((start) => (start + t + shift) % TOKENS));
    return { x: at(0), y: at(1) };
  });
}

describe('what a step costs the device', () => {
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

  /** Counts calls on the runtime's device from here on. */
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
    '%s: one submit, and after the second step nothing is created',
    async (_, cell, optimizer, clipNorm) => {
      using net = await runtime.load(character(cell));
      const trainer = net.trainer({ loss: crossEntropy, optimizer, ...(clipNorm && { clipNorm }) });
      const data = batches(8);
      const first = count();
      await trainer.step(data[0].x, data[0].y);
      expect(first.submits()).toBe(1);
      // The counters do count: the first step makes all that the others use.
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

  test('with states that are kept, lengths, noise, a schedule and all that an optimizer has, too', async () => {
    const model = new Sequential([
      new Embedding(TOKENS, 3),
      new Dropout(0.3),
      new LSTM({ inputSize: 3, hiddenSize: 7, numLayers: 2, dropout: 0.2, zoneout: 0.1 }),
      new Linear(7, TOKENS),
    ]);
    using net = await runtime.load(model);
    const trainer = net.trainer({
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
    const data = batches(6);
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

  test('with tensors as arguments, too', async () => {
    using net = await runtime.load(character('LSTM'));
    const trainer = net.trainer({ loss: crossEntropy, optimizer: adam() });
    const [{ x, y }] = batches(1);
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
