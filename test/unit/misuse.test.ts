// What programs do by mistake: the advice that they get.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import {
  add,
  createRuntime,
  Dropout,
  Embedding,
  GRU,
  LayerNorm,
  Linear,
  LSTMCell,
  mul,
  sub,
  type HostData,
  type Layer,
  type Runtime,
  type Value,
} from '../../src/index.ts';
import { adam, mse, rmsprop, sgd, Trainer, type Optimizer } from '../../src/train/index.ts';
import { failure } from '../failure.ts';

let runtime: Runtime;
beforeEach(async () => {
  runtime = await createRuntime({ backend: 'cpu' });
});
afterEach(() => runtime.dispose());

describe('a Proxy, as a framework puts around reactive state', () => {
  const reactive = <T extends object>(target: T): T => new Proxy(target, {});
  const advice = (what: string, method: string) =>
    failure('argument', new RegExp(`^${what}: ${method} was used on a Proxy .* markRaw or shallowRef`));

  test('of a net, a stream, a trainer, a tensor or a runtime is refused by name', async () => {
    const net = await runtime.load(new GRU({ inputSize: 1, hiddenSize: 2 }));
    const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 1 }) });
    expect(() => reactive(net).run([[[1]]])).toThrow(advice('net', 'run'));
    expect(() => reactive(net).parameterCount).toThrow(advice('net', 'parameterCount'));
    expect(() => reactive(net.stream()).push([1])).toThrow(advice('stream', 'push'));
    expect(() => reactive(trainer).step([[[1]]], [[[1, 1]]])).toThrow(advice('trainer', 'step'));
    expect(() => (reactive(trainer).learningRate = 1)).toThrow(advice('trainer', 'learningRate'));
    expect(() => reactive(runtime.tensor([1])).read()).toThrow(advice('tensor', 'read'));
    expect(() => reactive(runtime).tensor([1])).toThrow(advice('runtime', 'tensor'));
    expect(() => new Trainer(reactive(net), { loss: mse, optimizer: sgd({ lr: 1 }) })).not.toThrow();
  });

  test.each([
    ['a recurrent layer', () => new GRU({ inputSize: 1, hiddenSize: 2 }), [[[1]]]],
    ['a cell', () => new LSTMCell({ inputSize: 1, hiddenSize: 2 }), [[1]]],
  ] as const)('of %s is refused when it computes', async (_, make, x) => {
    const net = await runtime.load(reactive<Layer>(make()));
    expect(() => net.run(x as HostData)).toThrow(advice('layer', 'forward'));
  });

  test('of a tensor is refused as an argument, also if what it holds comes as Proxies', async () => {
    const deep = <T extends object>(target: T): T =>
      new Proxy(target, {
        get(object, key, receiver) {
          const value: unknown = Reflect.get(object, key, receiver);
          return typeof value === 'object' && value !== null ? deep(value) : value;
        },
      });
    const net = await runtime.load(new Linear({ inputSize: 1, outputSize: 1 }));
    const square = runtime.compile((x: Value) => mul(x, x));
    for (const tensor of [reactive(runtime.tensor([[1]])), deep(runtime.tensor([[1]]))]) {
      expect(() => net.run(tensor)).toThrow(advice('tensor', 'backend'));
      expect(() => square(tensor)).toThrow(advice('tensor', 'backend'));
    }
  });

  test('does not change what the object itself does', async () => {
    const net = await runtime.load(new Linear({ inputSize: 1, outputSize: 1 }));
    const { run } = net;
    expect(() => Reflect.apply(run, {}, [[[1]]]) as unknown).toThrow(
      failure('argument', /on another object/),
    );
    expect(net.parameterCount).toBe(2);
    expect(await net.run([[1]]).read()).toHaveLength(1);
  });
});

test.each<[string, () => unknown]>([
  ['Linear: expected options { inputSize, outputSize, bias }, got 3', () => new Linear(3 as never)],
  ['Embedding: expected options { numEmbeddings, embeddingDim }, got 3', () => new Embedding(3 as never)],
  ['Dropout: expected options { p }, got 0.5', () => new Dropout(0.5 as never)],
  [
    'LayerNorm: expected options { normalizedShape, eps, elementwiseAffine, bias }, got 4',
    () => new LayerNorm(4 as never),
  ],
  [
    'Linear: outputSize must be a whole number of at least 1, got nothing',
    () => new Linear({ inputSize: 1 } as never),
  ],
])('options by position: %s', (message, make) => {
  expect(make).toThrow(failure('argument', message));
});

test('dropout of a single layer warns once that it does nothing', async () => {
  // Another test may have had the warning of this module.
  vi.resetModules();
  const fresh = await import('../../src/index.ts');
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const make = (options: { readonly dropout?: number; readonly numLayers?: number }) =>
    new fresh.LSTM({ inputSize: 1, hiddenSize: 1, ...options });
  make({});
  make({ dropout: 0.5, numLayers: 2 });
  expect(warn).not.toHaveBeenCalled();
  make({ dropout: 0.5 });
  make({ dropout: 0.5 });
  expect(warn.mock.calls).toEqual([
    [
      expect.stringMatching(
        /LSTM: dropout is between layers, and numLayers is 1, so it does nothing; add layers, a Dropout after the layer or recurrentDropout$/,
      ),
    ],
  ]);
});

test('the warning about dropout names only what the layer has', async () => {
  vi.resetModules();
  const fresh = await import('../../src/index.ts');
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  warn.mockClear();
  expect(new fresh.MinGRU({ inputSize: 1, hiddenSize: 1, dropout: 0.5 }).name).toBe('MinGRU');
  expect(warn.mock.calls).toEqual([
    [expect.stringMatching(/MinGRU: .* does nothing; add layers or a Dropout after the layer$/)],
  ]);
});

test.each<[string, Optimizer, Optimizer, RegExp]>([
  [
    'with amsgrad, into one without',
    adam({ amsgrad: true }),
    adam(),
    /saved by adam with other options .*it has "max_exp_avg_sq", so make the optimizer with amsgrad: true$/,
  ],
  [
    'without amsgrad, into one with it',
    adam(),
    adam({ amsgrad: true }),
    /it has no "max_exp_avg_sq", so make the optimizer without amsgrad: true$/,
  ],
  [
    'without momentum',
    sgd({ lr: 1 }),
    sgd({ lr: 1, momentum: 0.9 }),
    /it has no "momentum_buffer".* without momentum$/,
  ],
  [
    'centered, into one with momentum',
    rmsprop({ centered: true }),
    rmsprop({ momentum: 0.9 }),
    /it has "grad_avg".* with centered: true; it has no "momentum_buffer".* without momentum$/,
  ],
])('a checkpoint %s says which option differs', async (_, saved, own, message) => {
  const net = await runtime.load(new Linear({ inputSize: 1, outputSize: 1 }));
  const checkpoint = await new Trainer(net, { loss: mse, optimizer: saved }).save();
  const trainer = new Trainer(net, { loss: mse, optimizer: own });
  expect(() => trainer.load(checkpoint)).toThrow(failure('file', message));
});

test('a checkpoint is told from another whatever the names of states and parameters', async () => {
  const mine: Optimizer = {
    name: 'mine',
    states: ['mean.slow'],
    lr: 1,
    scalars: (_, lr) => ({ lr }),
    update: ({ p, g, 'mean.slow': mean }, { lr }) => ({ p: sub(p, mul(lr, g)), 'mean.slow': add(mean, g) }),
  };
  const scale: Layer = {
    name: 'Scale',
    parameters: [{ name: 'optimizer.gate.scale', shape: [1], initial: () => 1 }],
    states: [],
    inputDType: 'f32',
    timeAxis: undefined,
    forward: (x, parameters) => ({ output: mul(x, parameters['optimizer.gate.scale']), states: {} }),
  };
  for (const [model, optimizer] of [
    [new Linear({ inputSize: 1, outputSize: 1 }), mine],
    [scale, adam({ amsgrad: true })],
  ] as const) {
    const trainer = new Trainer(await runtime.load(model), { loss: mse, optimizer });
    await trainer.step([[1]], [[2]]);
    const checkpoint = await trainer.save();
    await trainer.step([[1]], [[2]]);
    trainer.load(checkpoint);
    expect(await trainer.save()).toEqual(checkpoint);
  }
  const plain = new Trainer(await runtime.load(scale), { loss: mse, optimizer: adam() });
  const other = new Trainer(await runtime.load(scale), { loss: mse, optimizer: adam({ amsgrad: true }) });
  const saved = await other.save();
  expect(() => plain.load(saved)).toThrow(
    failure('file', /it has "max_exp_avg_sq", so make the optimizer with amsgrad/),
  );
});
