// While a device compiles pipelines, no call blocks, and writes, runs and reads keep the order of the calls.
import { expect, test, vi } from 'vitest';

import { createRuntime, LSTM, mul, type CompileProgress, type Value } from '../../src/index.ts';

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

test('writes, runs, reads and disposals keep the order of the calls', async () => {
  using runtime = await createRuntime({ backend: 'webgpu', tuning: false });
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

test('what waits when the runtime is disposed of is refused', async () => {
  const runtime = await createRuntime({ backend: 'webgpu', tuning: false });
  const triple = runtime.compile((value: Value) => mul(value, 3));
  const read = triple(runtime.tensor([1])).read();
  runtime.dispose();
  await expect(read).rejects.toThrow('dispose');
});
