// What a push costs: counted on a device of the test's own.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import {
  createRuntime,
  Embedding,
  GRU,
  Linear,
  LSTM,
  Sequential,
  serializeSafetensors,
  type Layer,
  type Runtime,
  type Stream,
  type Tensor,
} from '../../src/index.ts';
import { countDispatches } from '../../src/plan/plan.ts';

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

/** How often each was called during `action`. */
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

const nothingMade = { waits: 0, maps: 0, buffers: 0, bindGroups: 0, pipelines: 0, modules: 0 };

describe('a push', () => {
  const features = Array.from({ length: 8 }, (_, i) => Math.sin(i));
  const models: Record<string, { make: () => Layer; x: number[]; most: number }> = {
    // The product of the input, and the step.
    LSTM: { make: () => new LSTM({ inputSize: 8, hiddenSize: 8 }), x: features, most: 2 },
    GRU: { make: () => new GRU({ inputSize: 8, hiddenSize: 8 }), x: features, most: 2 },
    'two layers': {
      make: () => new LSTM({ inputSize: 8, hiddenSize: 8, numLayers: 2 }),
      x: features,
      most: 7,
    },
    'of tokens, with an output layer': {
      make: () =>
        new Sequential([new Embedding(5, 8), new LSTM({ inputSize: 8, hiddenSize: 8 }), new Linear(8, 5)]),
      x: [3],
      most: 4,
    },
  };

  test.each(Object.entries(models))(
    '%s: few launches, the weights packed in the first alone',
    async (_, model) => {
      const { make, x, most } = model;
      const stream = (await runtime.load(make())).stream();
      const kept = stream
        .plan(x)
        .steps.reduce((sum, step) => sum + (step.kept ? countDispatches(step) : 0), 0);
      expect(kept).toBeGreaterThan(0);
      const push = (): void => stream.push(x).dispose();
      const first = calls(push);
      const each = calls(push).dispatches;
      expect(each).toBeLessThanOrEqual(most);
      expect(first).toMatchObject({ dispatches: each + kept, submits: 1, waits: 0, maps: 0 });
      const many = calls(() => {
        for (let i = 0; i < 10; i++) push();
      });
      expect(many).toEqual({ ...nothingMade, dispatches: 10 * each, submits: 10 });
    },
  );

  test('makes nothing anew while outputs come and go, and inputs too', async () => {
    const stream = (await runtime.load(new LSTM({ inputSize: 8, hiddenSize: 8 }))).stream({ batch: 2 });
    const inputs = Array.from({ length: 3 }, () => runtime.tensor([features, features]));
    const held: Tensor[] = [];
    // Three outputs are with the application at any time.
    const push = (i: number): void => {
      held.push(stream.push(inputs[i % 3]));
      if (held.length > 3) held.shift()?.dispose();
    };
    for (let i = 0; i < 24; i++) push(i);
    const many = calls(() => {
      for (let i = 24; i < 48; i++) push(i);
    });
    expect(many).toMatchObject(nothingMade);
    await runtime.backend.idle();
  });

  test('of two streams and their forks in turns makes nothing anew', async () => {
    const net = await runtime.load(new GRU({ inputSize: 8, hiddenSize: 8 }));
    const streams = [net.stream(), net.stream()];
    streams.push(streams[0].fork());
    const round = (): void => {
      for (const stream of streams) stream.push(features).dispose();
    };
    for (let i = 0; i < 3; i++) round();
    expect(calls(() => [0, 1, 2, 3].forEach(round))).toMatchObject(nothingMade);
    await runtime.backend.idle();
  });
});

describe.each(['webgpu', 'cpu'] as const)('on %s', (backend) => {
  test('states that a model hands on untouched, or one for the other, are what they were', async () => {
    using own = await createRuntime({ backend });
    const swapping: Layer = {
      name: 'Swapping',
      parameters: [],
      states: ['a', 'b', 'kept'].map((name) => ({ name, shape: (batch) => [batch, 2] })),
      inputDType: 'f32',
      timeAxis: 0,
      forward: (x, _, { a, b, kept } = {}) => ({ output: x, states: { a: b, b: a, kept } }),
    };
    const stream = (await own.load(swapping)).stream();
    const file = { a: [1, 2], b: [3, 4], kept: [5, 6] };
    const tensors = Object.entries(file).map(
      ([name, data]) => [name, { shape: [1, 2], dtype: 'f32', data: Float32Array.from(data) }] as const,
    );
    stream.restore(serializeSafetensors(new Map(tensors), { model: 'Swapping', batch: '1' }));
    const statesOf = async (of: Stream): Promise<Record<string, number[]>> => {
      const read = Object.entries(of.states()).map(
        async ([name, state]) => [name, Array.from(await state.read())] as const,
      );
      return Object.fromEntries(await Promise.all(read));
    };
    const swapped = { ...file, a: file.b, b: file.a };
    await stream.push([0, 0]).read();
    expect(await statesOf(stream)).toEqual(swapped);
    using fork = stream.fork();
    await stream.push([0, 0]).read();
    expect([await statesOf(stream), await statesOf(fork)]).toEqual([file, swapped]);
    await fork.push([0, 0]).read();
    await stream.push([0, 0]).read();
    expect([await statesOf(stream), await statesOf(fork)]).toEqual([swapped, file]);
    fork.reset(0);
    expect(await statesOf(fork)).toEqual({ a: [0, 0], b: [0, 0], kept: [0, 0] });
    expect(await statesOf(stream)).toEqual(swapped);
  });
});
