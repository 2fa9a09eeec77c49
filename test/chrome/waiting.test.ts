// Waits and readback in a browser, which polls the device rarely by itself.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { pollingModeFor } from '../../src/backend/webgpu/completion_polling.ts';
import { createRuntime, mul, type Runtime, type Value } from '../../src/index.ts';

let runtime: Runtime;
beforeEach(async () => {
  runtime = await createRuntime({ backend: 'webgpu' });
});
afterEach(() => {
  vi.restoreAllMocks();
  runtime.dispose();
});

test('the adapter has a name, and completion polling uses error scopes', () => {
  expect(runtime.backend.description).toMatch(/^WebGPU: ./);
  expect(pollingModeFor(globalThis)).toBe('scopes');
});

test('a wait polls a few times and leaves no error scope behind', async () => {
  const { device } = runtime.backend as unknown as { device: GPUDevice };
  const double = runtime.compile((x: Value) => mul(x, 2));
  const push = vi.spyOn(device, 'pushErrorScope');
  const pop = vi.spyOn(device, 'popErrorScope');
  const output = double([1, 2, 3]);
  const before = push.mock.calls.length;
  expect([...(await output.read())]).toEqual([2, 4, 6]);
  await vi.waitFor(() => expect(pop.mock.calls.length).toBe(push.mock.calls.length));
  expect(push.mock.calls.length).toBeGreaterThan(before);
  expect(push.mock.calls.length).toBeLessThanOrEqual(before + 8);
  await expect(device.popErrorScope()).rejects.toThrow(/scope/i);
});

test('idle waits until the device has finished its work', async () => {
  const { device } = runtime.backend as unknown as { device: GPUDevice };
  const double = runtime.compile((x: Value) => mul(x, 2));
  double([1, 2, 3]);
  const done = vi.spyOn(device.queue, 'onSubmittedWorkDone');
  await runtime.backend.idle();
  expect(done).toHaveBeenCalled();
});

test('results of all sizes can be read concurrently, in any order', async () => {
  const double = runtime.compile((x: Value) => mul(x, 2));
  const sizes = [1, 3, 4, 1000, 70_000, 5, 1_000_003];
  const outputs = sizes.map((size) => double(Float32Array.from({ length: size }, (_, i) => i % 1024)));
  const read = await Promise.all(outputs.toReversed().map((output) => output.read()));
  read.toReversed().forEach((numbers, n) => {
    expect(numbers).toHaveLength(sizes[n]);
    expect(numbers.findIndex((x, i) => x !== 2 * (i % 1024))).toBe(-1);
  });
  const whole = Int32Array.of(0, 1, -1, 2 ** 31 - 1, -(2 ** 31));
  expect([...(await runtime.tensor(whole).read())]).toEqual([...whole]);
});
