// While a device compiles pipelines, no call blocks, and writes, runs and reads keep the order of the calls.
import { expect, test, vi } from 'vitest';

import { createRuntime, GRU, LSTM, mul, type CompileProgress, type Value } from '../../src/index.ts';
import { prepare } from '../../src/tools/index.ts';

test('onCompile counts the pipelines of a plan, and no pipeline is compiled by a call that blocks', async () => {
  const progress: CompileProgress[] = [];
  const blocking = vi.spyOn(GPUDevice.prototype, 'createComputePipeline');
  using runtime = await createRuntime({
    backend: 'webgpu',
    tuning: false,
    onCompile: (now) => progress.push({ ...now }),
  });
  using net = await runtime.load(new LSTM({ inputSize: 3, hiddenSize: 5 }));
  await net.run([[[1, 2, 3]], [[4, 5, 6]]]).read();
  const { total } = progress[progress.length - 1];
  expect(total).toBeGreaterThan(1);
  expect(progress[0]).toEqual({ compiled: 0, total: 1 });
  expect(progress.at(-1)).toEqual({ compiled: total, total });
  expect(blocking).not.toHaveBeenCalled();
  blocking.mockRestore();
});

test.each([true, false])('prepared: %o; a first encode blocks only if not', async (isPrepared) => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter?.requestDevice();
  if (device === undefined) throw new Error('expected a device');
  const blocking = vi.spyOn(device, 'createComputePipeline');
  using runtime = await createRuntime({ device, tuning: false });
  using net = await runtime.load(new GRU({ inputSize: 3, hiddenSize: 5 }));
  using stream = net.stream();
  const [x, y] = [3, 5].map((size) => runtime.tensor(new Float32Array(size), { shape: [1, size] }));
  if (isPrepared) await prepare(stream, x);
  const encoder = device.createCommandEncoder();
  stream.encode(encoder, x, y);
  device.queue.submit([encoder.finish()]);
  expect(blocking.mock.calls.length > 0).toBe(!isPrepared);
  await y.read();
  device.destroy();
});

test('writes, runs, reads and disposals keep the order of the calls', async () => {
  // No memory is pooled, so that a disposal destroys its buffer.
  using runtime = await createRuntime({ backend: 'webgpu', tuning: false, freeBytes: 0 });
  using x = runtime.tensor([1, 2, 3]);
  const double = runtime.compile((value: Value) => mul(value, 2));
  const numbers = Float32Array.of(10, 20, 30);
  const first = double(x);
  x.write(numbers);
  // The write has taken a copy.
  numbers.fill(0);
  const second = double(x);
  const before = x.read();
  x.write([7, 7, 7]);
  const results = [first.read(), second.read(), before, x.read()];
  first.dispose();
  second.dispose();
  expect((await Promise.all(results)).map((result) => Array.from(result))).toEqual([
    [2, 4, 6],
    [20, 40, 60],
    [10, 20, 30],
    [7, 7, 7],
  ]);
});

test('work on a buffer of the application comes before commands that the application submits next', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter?.requestDevice();
  if (device === undefined) throw new Error('expected a device');
  using runtime = await createRuntime({ device, tuning: false });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const gpuBuffer = device.createBuffer({ size: 16, usage });
  const own = runtime.tensorFrom(gpuBuffer, { shape: [4] });
  own.write([1, 2, 3, 4]);
  const quadruple = runtime.compile((value: Value) => mul(value, 4));
  const result = quadruple(own);
  device.queue.writeBuffer(gpuBuffer, 0, Float32Array.of(9, 9, 9, 9));
  expect(Array.from(await result.read())).toEqual([4, 8, 12, 16]);

  const shared = runtime.tensor([1, 2, 3, 4]);
  const handle = shared.gpuBuffer;
  const quintuple = runtime.compile((value: Value) => mul(value, 5));
  const other = quintuple(shared);
  device.queue.writeBuffer(handle, 0, Float32Array.of(9, 9, 9, 9));
  expect(Array.from(await other.read())).toEqual([5, 10, 15, 20]);
  device.destroy();
});

test('what waits when the runtime is disposed of is refused', async () => {
  const runtime = await createRuntime({ backend: 'webgpu', tuning: false });
  const triple = runtime.compile((value: Value) => mul(value, 3));
  const read = triple(runtime.tensor([1])).read();
  runtime.dispose();
  await expect(read).rejects.toThrow('dispose');
});
