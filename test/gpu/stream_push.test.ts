// The cost of a push, counted on the test's own device.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { mse, sgd, Trainer } from '../../src/train/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  createRuntime,
  Embedding,
  GRU,
  Linear,
  LSTM,
  Sequential,
  type Layer,
  type Runtime,
  type Tensor,
} from '../../src/index.ts';

let device: GPUDevice;
let runtime: Runtime;

beforeEach(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('no WebGPU adapter');
  device = await adapter.requestDevice();
  runtime = await createRuntime({ device });
});
afterEach(() => {
  vi.restoreAllMocks();
  runtime.dispose();
  device.destroy();
});

/** Counts the calls of each method during `action`. */
function calls(action: () => void): Record<string, number> {
  const counted = {
    dispatches: vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups'),
    submits: vi.spyOn(GPUQueue.prototype, 'submit'),
    waits: vi.spyOn(GPUQueue.prototype, 'onSubmittedWorkDone'),
    maps: vi.spyOn(GPUBuffer.prototype, 'mapAsync'),
    buffers: vi.spyOn(device, 'createBuffer'),
    bindGroups: vi.spyOn(device, 'createBindGroup'),
    pipelines: vi.spyOn(device, 'createComputePipeline'),
    modules: vi.spyOn(device, 'createShaderModule'),
  };
  action();
  const counts = Object.entries(counted).map(([name, { mock }]) => [name, mock.calls.length]);
  vi.restoreAllMocks();
  return Object.fromEntries(counts) as Record<string, number>;
}

/** Waits until a push has queued its prefetch. */
const prefetchQueued = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

const copy = GPUCommandEncoder.prototype.copyBufferToBuffer;
const begin = GPUCommandEncoder.prototype.beginComputePass;

const nothingCreated = { waits: 0, maps: 0, buffers: 0, bindGroups: 0, pipelines: 0, modules: 0 };

describe('a push', () => {
  const features = Array.from({ length: 8 }, (_, i) => Math.sin(i));
  const models: Record<string, { make: () => Layer; x: number[]; most: number }> = {
    // The product of the input, and the update.
    LSTM: { make: () => new LSTM({ inputSize: 8, hiddenSize: 8 }), x: features, most: 2 },
    GRU: { make: () => new GRU({ inputSize: 8, hiddenSize: 8 }), x: features, most: 2 },
    'two layers': {
      make: () => new LSTM({ inputSize: 8, hiddenSize: 8, numLayers: 2 }),
      x: features,
      most: 4,
    },
    'of tokens, with an output layer': {
      make: () =>
        new Sequential([
          new Embedding({ numEmbeddings: 5, embeddingDim: 8 }),
          new LSTM({ inputSize: 8, hiddenSize: 8 }),
          new Linear({ inputSize: 8, outputSize: 5 }),
        ]),
      x: [3],
      most: 4,
    },
  };

  test.each(Object.entries(models))(
    '%s: takes few launches, and prefetches the products of the states',
    async (_, model) => {
      const { make, x, most } = model;
      const stream = (await runtime.load(make())).stream();
      const { arguments: args } = tools.plan(stream, x);
      expect(args.map(({ name }) => name)).toContain('prefetched.0');
      const push = (): void => stream.push(x).dispose();
      push();
      // Until the pipelines are compiled, pushes wait.
      await runtime.backend.idle();
      stream.reset();
      const first = calls(push);
      expect(first).toMatchObject({ submits: 1, waits: 0, maps: 0 });
      push();
      // Pushes without a pause compute everything themselves.
      const many = calls(() => {
        for (let i = 0; i < 10; i++) push();
      });
      expect(many).toEqual({ ...nothingCreated, dispatches: 10 * first.dispatches, submits: 10 });
      await prefetchQueued();
      const afterPrefetch = calls(push);
      expect(afterPrefetch).toMatchObject({ ...nothingCreated, submits: 1 });
      expect(afterPrefetch.dispatches).toBeLessThanOrEqual(most);
      expect(afterPrefetch.dispatches).toBeLessThan(first.dispatches);
      // A push uses the prefetched results for unchanged states only.
      await prefetchQueued();
      stream.reset();
      expect(calls(push).dispatches).toBe(first.dispatches);
    },
  );

  test('the prefetch is queued after the readback of the result, in its own submit', async () => {
    const stream = (await runtime.load(new LSTM({ inputSize: 8, hiddenSize: 8 }))).stream();
    const events: string[] = [];
    vi.spyOn(GPUCommandEncoder.prototype, 'copyBufferToBuffer').mockImplementation(function (
      this: GPUCommandEncoder,
      ...args: Parameters<GPUCommandEncoder['copyBufferToBuffer']>
    ) {
      events.push('copy');
      return copy.apply(this, args);
    } as GPUCommandEncoder['copyBufferToBuffer']);
    const passes = vi.spyOn(GPUCommandEncoder.prototype, 'beginComputePass');
    passes.mockImplementation(function (this: GPUCommandEncoder, descriptor) {
      events.push(descriptor?.label ?? 'pass');
      return begin.call(this, descriptor);
    });
    const got = stream.push(features);
    await Promise.resolve();
    await got.read();
    await prefetchQueued();
    // The first push computes everything itself.
    expect(events).toEqual(['gatewise', 'copy', 'gatewise']);
  });

  test('outputs equal those of run with and without prefetch, after forks, restore and training', async () => {
    const net = await runtime.load(new LSTM({ inputSize: 8, hiddenSize: 8 }));
    const inputs = Array.from({ length: 6 }, (_, t) => features.map((x) => x * Math.cos(t)));
    const expected = await net.run(inputs.map((x) => [x])).read();
    const stream = net.stream();
    const other = net.stream();
    let saved = await stream.save();
    for (const [t, x] of inputs.entries()) {
      // With and without a pause for the prefetch, with another stream and a fork in between.
      const got = stream.push(x);
      if (t % 2 === 0) await prefetchQueued();
      await other.push(inputs[5 - t]).read();
      using fork = stream.fork();
      await fork.push(features).read();
      const values = await got.read();
      values.forEach((value, i) => expect(value).toBeCloseTo(expected[8 * t + i], 6));
      if (t === 3) saved = await stream.save();
      if (t === 4) stream.load(saved);
      if (t === 4) await stream.push(x).read();
    }
    const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 0.5 }) });
    stream.reset();
    await stream.push(inputs[0]).read();
    await trainer.step(
      inputs.map((x) => [x]),
      inputs.map((x) => [x]),
    );
    const fresh = net.stream();
    const states = stream.states();
    fresh.load(await stream.save());
    expect(Object.keys(states)).toEqual(['h', 'c']);
    const [a, b] = [stream.push(inputs[1]), fresh.push(inputs[1])];
    expect(Array.from(await a.read())).toEqual(Array.from(await b.read()));
  });

  test('a prefetch after dispose of stream, net or runtime does nothing', async () => {
    const net = await runtime.load(new LSTM({ inputSize: 8, hiddenSize: 8 }));
    const stream = net.stream();
    stream.push(features);
    stream.dispose();
    const second = net.stream();
    second.push(features);
    net.dispose();
    await prefetchQueued();
    const third = (await runtime.load(new LSTM({ inputSize: 8, hiddenSize: 8 }))).stream();
    third.push(features);
    runtime.dispose();
    await prefetchQueued();
  });

  test('creates no GPU object while outputs and inputs change', async () => {
    const stream = (await runtime.load(new LSTM({ inputSize: 8, hiddenSize: 8 }))).stream({ batch: 2 });
    const inputs = Array.from({ length: 3 }, () => runtime.tensor([features, features]));
    const outputs: Tensor[] = [];
    // The application uses three outputs at any time.
    const push = (i: number): void => {
      outputs.push(stream.push(inputs[i % 3]));
      if (outputs.length > 3) outputs.shift()?.dispose();
    };
    for (let i = 0; i < 24; i++) push(i);
    const many = calls(() => {
      for (let i = 24; i < 48; i++) push(i);
    });
    expect(many).toMatchObject(nothingCreated);
    await runtime.backend.idle();
  });

  test('of two streams and a fork in turns creates no GPU object', async () => {
    const net = await runtime.load(new GRU({ inputSize: 8, hiddenSize: 8 }));
    const streams = [net.stream(), net.stream()];
    streams.push(streams[0].fork());
    const round = (): void => {
      for (const stream of streams) stream.push(features).dispose();
    };
    for (let i = 0; i < 3; i++) round();
    expect(calls(() => [0, 1, 2, 3].forEach(round))).toMatchObject(nothingCreated);
    await runtime.backend.idle();
  });
});
