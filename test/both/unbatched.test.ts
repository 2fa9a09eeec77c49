// Inputs without a batch axis, as in PyTorch: the results of a batch of one, without that axis.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { adam, crossEntropy, mse, Trainer } from '../../src/train/index.ts';
import {
  createRuntime,
  Embedding,
  GRU,
  GRUCell,
  Linear,
  LSTM,
  LSTMCell,
  MinGRU,
  MinLSTM,
  RNN,
  Sequential,
  type Layer,
  type Runtime,
  type Shape,
  type Tensor,
} from '../../src/index.ts';
import { normalNumbers, normalTensor } from '../normal.ts';
import { backend } from '../setup/backend.ts';

const [STEPS, INPUTS] = [4, 3];
const sizes = { inputSize: INPUTS, hiddenSize: 5 };

interface Case {
  readonly layer: Layer;
  /** The shape of the output without a batch, and of each state. */
  readonly output: Shape;
  readonly states: Readonly<Record<string, Shape>>;
}

// The shapes are those of torch.nn: output (T, D · R), states (layers · D, R).
const cases: Record<string, Case> = {
  RNN: { layer: new RNN(sizes), output: [4, 5], states: { h: [1, 5] } },
  'LSTM of two layers and directions': {
    layer: new LSTM({ ...sizes, numLayers: 2, bidirectional: true }),
    output: [4, 10],
    states: { h: [4, 5], c: [4, 5] },
  },
  'a projected LSTM': {
    layer: new LSTM({ ...sizes, projSize: 2 }),
    output: [4, 2],
    states: { h: [1, 2], c: [1, 5] },
  },
  'GRU, batch first': {
    layer: new GRU({ ...sizes, batchFirst: true, recompute: true }),
    output: [4, 5],
    states: { h: [1, 5] },
  },
  MinGRU: {
    layer: new MinGRU({ ...sizes, bidirectional: true, numLayers: 2 }),
    output: [4, 10],
    states: { h: [4, 5] },
  },
  'MinLSTM, batch first': {
    layer: new MinLSTM({ ...sizes, batchFirst: true }),
    output: [4, 5],
    states: { h: [1, 5] },
  },
  'LSTM between others': {
    layer: new Sequential([
      new Linear({ inputSize: INPUTS, outputSize: INPUTS }),
      new LSTM(sizes),
      new Linear({ inputSize: 5, outputSize: 2 }),
    ]),
    output: [4, 2],
    states: { '1.h': [1, 5], '1.c': [1, 5] },
  },
};

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  const close = (data: ArrayLike<number>): number[] =>
    Array.from(data, (value) => expect.closeTo(value, 5) as number);

  test.each(Object.entries(cases))('%s', async (_, { layer, output, states }) => {
    const batchOfOne = (shape: Shape): Shape => shape.toSpliced(layer.timeAxis === 1 ? 0 : 1, 0, 1);
    const x: Shape = [STEPS, INPUTS];
    for (const given of [false, true]) {
      using net = await runtime.load(layer, { seed: 1 });
      const initial = (change: (shape: Shape) => Shape): Record<string, Tensor> =>
        Object.fromEntries(
          Object.entries(states).flatMap(([name, shape], i) =>
            given ? [[name, normalTensor(runtime, 10 + i, change(shape))] as const] : [],
          ),
        );
      const without = initial((shape) => shape);
      const within = initial((shape) => shape.toSpliced(1, 0, 1));
      const alone = net.runWithStates(normalTensor(runtime, 1, x), { states: without });
      const batch = net.runWithStates(normalTensor(runtime, 1, batchOfOne(x)), { states: within });
      expect(alone.output.shape).toEqual(output);
      expect(Array.from(await alone.output.read())).toEqual(close(await batch.output.read()));
      for (const [name, shape] of Object.entries(states)) {
        expect(alone.states[name].shape).toEqual(shape);
        expect(Array.from(await alone.states[name].read())).toEqual(close(await batch.states[name].read()));
      }
      const weights: number[][] = [];
      for (const [input, target, own] of [
        [x, output, without],
        [batchOfOne(x), batchOfOne(output), within],
      ] as const) {
        using fresh = await runtime.load(layer, { seed: 1 });
        const trainer = new Trainer(fresh, { loss: mse, optimizer: adam({ lr: 0.1 }) });
        await trainer.step(normalTensor(runtime, 1, input), normalTensor(runtime, 2, target), {
          states: own,
        });
        weights.push(Array.from(await fresh.context.weights[0].read()));
      }
      expect(weights[0]).toEqual(close(weights[1]));
    }
  });

  test('tokens', async () => {
    const model = new Sequential([
      new Embedding({ numEmbeddings: 6, embeddingDim: 3 }),
      new GRU(sizes),
      new Linear({ inputSize: 5, outputSize: 6 }),
    ]);
    using net = await runtime.load(model);
    const [alone, batch] = [net.run([1, 5, 2]), net.run([[1], [5], [2]])];
    expect(alone.shape).toEqual([3, 6]);
    expect(Array.from(await alone.read())).toEqual(close(await batch.read()));
    const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam() });
    expect(await trainer.step([1, 5, 2], [5, 2, 1])).toBeGreaterThan(0);
  });

  test.each([
    ['LSTMCell', new LSTMCell(sizes)],
    ['GRUCell', new GRUCell(sizes)],
  ])('%s', async (_, cell) => {
    using net = await runtime.load(cell);
    const names = cell.states.map(({ name }) => name);
    const initial = (shape: Shape): Record<string, Tensor> =>
      Object.fromEntries(names.map((name, i) => [name, normalTensor(runtime, 20 + i, shape)]));
    const alone = net.runWithStates(normalNumbers(1, [3]), { states: initial([5]) });
    const batch = net.runWithStates(normalTensor(runtime, 1, [1, 3]), { states: initial([1, 5]) });
    expect(alone.output.shape).toEqual([5]);
    expect(Array.from(await alone.output.read())).toEqual(close(await batch.output.read()));
    for (const name of names) {
      expect(alone.states[name].shape).toEqual([5]);
      expect(Array.from(await alone.states[name].read())).toEqual(close(await batch.states[name].read()));
    }
  });
});
