// Buffers are freed on dispose, and bind groups are reused: counted on the test's own device.
import { afterEach, beforeEach, expect, test } from 'vitest';

import { adam, crossEntropy, Trainer } from '../../src/train/index.ts';
import {
  createRuntime,
  Embedding,
  GatewiseError,
  Linear,
  LSTM,
  Sequential,
  where,
  type Runtime,
  type Value,
} from '../../src/index.ts';

let device: GPUDevice;
let runtime: Runtime;
let live: Set<GPUBuffer>;
let groups = 0;

beforeEach(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('no WebGPU adapter');
  device = await adapter.requestDevice();
  live = new Set();
  groups = 0;
  const createBuffer = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    live.add(buffer);
    buffer.destroy = () => {
      live.delete(buffer);
      return destroy();
    };
    return buffer;
  };
  const createBindGroup = device.createBindGroup.bind(device);
  device.createBindGroup = (descriptor) => {
    groups++;
    return createBindGroup(descriptor);
  };
  runtime = await createRuntime({ device });
});
afterEach(() => {
  runtime.dispose();
  device.destroy();
});

const model = (): Sequential =>
  new Sequential([
    new Embedding({ numEmbeddings: 7, embeddingDim: 4 }),
    new LSTM({ inputSize: 4, hiddenSize: 5 }),
    new Linear({ inputSize: 5, outputSize: 7 }),
  ]);
const tokens = [
  [1, 2],
  [3, 4],
];
const options = { loss: crossEntropy, optimizer: adam() };

test('a disposed trainer leaves no buffers behind', async () => {
  const net = await runtime.load(model());
  const after: number[] = [];
  for (let i = 0; i < 3; i++) {
    const trainer = new Trainer(net, options);
    await trainer.step(tokens, tokens);
    trainer.dispose();
    after.push(live.size);
  }
  expect(after[2]).toBe(after[0]);
});

test('batches that stay on the device are bound once', async () => {
  const trainer = new Trainer(await runtime.load(model()), options);
  const batches = Array.from({ length: 20 }, () => runtime.tensor(tokens, { dtype: 'i32' }));
  const epoch = async (): Promise<number> => {
    const before = groups;
    for (const batch of batches) await trainer.step(batch, batch);
    return groups - before;
  };
  expect(await epoch()).toBeGreaterThan(0);
  expect(await epoch()).toBe(0);
});

test("dispose frees every buffer on an application's device, those of the user's tensors too", async () => {
  const net = await runtime.load(model());
  const output = net.run(tokens);
  net.stream();
  runtime.tensor([1, 2, 3]);
  await output.read();
  expect(live.size).toBeGreaterThan(0);
  runtime.dispose();
  expect(live.size).toBe(0);
  await expect(output.read()).rejects.toThrow(expect.objectContaining({ code: 'disposed' }) as GatewiseError);
});

test('a trace that fails leaves no error scope on the device', async () => {
  const failing = runtime.compile((x: Value) => where(x, x, Infinity));
  expect(() => failing([1, 2])).toThrow(GatewiseError);
  await expect(device.popErrorScope()).rejects.toThrow(/scope/i);
});

test('a command that the device refuses rejects the read', async () => {
  const double = runtime.compile((x: Value) => x.apply('mul', [x, 2]));
  expect([...(await double([1, 2]).read())]).toEqual([2, 4]);
  // Simulates memory that runs out: the next buffer is invalid.
  const createBuffer = device.createBuffer;
  device.createBuffer = (descriptor) => createBuffer({ ...descriptor, size: descriptor.size + 2 ** 50 });
  const run = async (): Promise<unknown> => {
    const results = [double([3, 4]), double([5, 6])];
    return Promise.all(results.map((tensor) => tensor.read()));
  };
  await expect(run()).rejects.toThrow(GatewiseError);
});

const liveBytes = (): number => [...live].reduce((sum, { size }) => sum + size, 0);

test('tensors of many sizes that are disposed of at once leave as much memory as was in use at once', () => {
  const before = liveBytes();
  for (let i = 0; i < 200; i++) runtime.tensor(new Float32Array(1e6 + 1000 * i)).dispose();
  expect(liveBytes() - before).toBeLessThan(16 * 2 ** 20 + 5e6);
  const held = Array.from({ length: 20 }, () => runtime.tensor(new Float32Array(1e6)));
  const peak = liveBytes();
  for (const tensor of held) tensor.dispose();
  expect(liveBytes()).toBeGreaterThan(peak - 17 * 2 ** 20);
  const again = Array.from({ length: 15 }, () => runtime.tensor(new Float32Array(1e6)));
  expect(liveBytes()).toBeLessThanOrEqual(peak);
  expect(new Set(again.map(({ gpuBuffer }) => gpuBuffer)).size).toBe(15);
});

test('an application limits the free memory', async () => {
  const own = await createRuntime({ device, freeBytes: 0 });
  const before = liveBytes();
  own.tensor(new Float32Array(1e6)).dispose();
  expect(liveBytes()).toBe(before);
  own.dispose();
});

test('results of many sizes that are read leave few staging buffers', async () => {
  const before = liveBytes();
  for (let i = 0; i < 12; i++) {
    using tensor = runtime.tensor(new Float32Array(1e6 * 1.5 ** (i / 2)));
    await tensor.read();
  }
  expect(liveBytes() - before).toBeLessThan(2 * 4e6 * 1.5 ** 5.5 + 2 * 16 * 2 ** 20);
});

test('plans of many lengths share temporaries, and are planned once', async () => {
  const net = await runtime.load(
    new Sequential([
      new LSTM({ inputSize: 8, hiddenSize: 16 }),
      new Linear({ inputSize: 16, outputSize: 4 }),
    ]),
  );
  const LONGEST = 40;
  const run = async (steps: number): Promise<readonly number[]> => {
    using x = runtime.tensor(
      Float32Array.from({ length: steps * 4 * 8 }, (_, i) => Math.sin(i)),
      { shape: [steps, 4, 8] },
    );
    using output = net.run(x);
    return [...(await output.read())];
  };
  const uniforms = (): number => [...live].filter(({ label }) => label === 'gatewise uniforms').length;
  const temporaries = (): number =>
    [...live].reduce((sum, { label, size }) => sum + (label === 'gatewise temporary' ? size : 0), 0);
  const last = await run(LONGEST);
  const ofLongest = temporaries();
  expect(ofLongest).toBeGreaterThan(0);
  const results: (readonly number[])[] = [];
  for (let steps = 1; steps <= LONGEST; steps++) results.push(await run(steps));
  expect(results.at(-1)).toEqual(last);
  expect(temporaries()).toBe(ofLongest);
  const plans = uniforms();
  for (let steps = 1; steps <= LONGEST; steps++) expect(await run(steps)).toEqual(results[steps - 1]);
  expect(uniforms()).toBe(plans);
  net.dispose();
  expect(temporaries()).toBe(0);
});

test('commands that an application has recorded and not submitted stay valid when a larger plan takes the temporaries', async () => {
  const net = await runtime.load(new LSTM({ inputSize: 8, hiddenSize: 16 }));
  const small = runtime.tensor(new Float32Array(2 * 8).fill(1), { shape: [2, 1, 8] });
  const large = runtime.tensor(new Float32Array(64 * 4 * 8).fill(1), { shape: [64, 4, 8] });
  const expected = await net.run(small).read();
  const output = runtime.tensor(new Float32Array(2 * 16), { shape: [2, 1, 16] });
  const encoder = device.createCommandEncoder();
  net.encode(encoder, small, output);
  await net.run(large).read();
  device.pushErrorScope('validation');
  device.queue.submit([encoder.finish()]);
  expect(await device.popErrorScope()).toBeNull();
  expect(await output.read()).toEqual(expected);
});
