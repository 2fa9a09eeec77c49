// An application's own device, its limits, and shaders that do not compile.
import { describe, expect, test } from 'vitest';

import { add, createRuntime, GatewiseError, mul, sum, tanh, type Value } from '../../src/index.ts';
import { webgpuTarget } from '../../src/backend/webgpu/kernels/index.ts';
import { defineKernel } from '../../src/backend/webgpu/kernels/kernel.ts';
import { apply, defineOp, type Op } from '../../src/graph/value.ts';
import { runtimeWith } from '../runtime_with.ts';
import { elementwiseOp } from '../../src/ops/elementwise.ts';
import { failure } from '../failure.ts';

async function ownDevice(): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('expected an adapter, got none');
  return adapter.requestDevice();
}

describe("an application's own device", () => {
  test('computes, and is still valid after the runtime is disposed', async () => {
    const device = await ownDevice();
    const runtime = await createRuntime({ device });
    expect(runtime.backend.kind).toBe('webgpu');
    const double = runtime.compile((x: Value) => mul(x, 2));
    expect([...(await double([1, 2, 3]).read())]).toEqual([2, 4, 6]);
    runtime.dispose();
    const buffer = device.createBuffer({ size: 16, usage: 0x4 | 0x8 });
    device.queue.writeBuffer(buffer, 0, new Float32Array(4));
    await device.queue.onSubmittedWorkDone();
    let isLost = false;
    void device.lost.then(() => (isLost = true));
    await Promise.resolve();
    expect(isLost).toBe(false);
    device.destroy();
  });

  test('two runtimes on one device refuse tensors of each other', async () => {
    const device = await ownDevice();
    const [one, other] = [await createRuntime({ device }), await createRuntime({ device })];
    const x = one.tensor([1, 2, 3]);
    const compiled = other.compile((x: Value) => sum(x));
    expect(() => compiled(x)).toThrow(
      /arg0 is a tensor of another runtime; read\(\) it there and pass the data/,
    );
    expect(await compiled(await x.read()).item()).toBe(6);
    one.dispose();
    other.dispose();
    device.destroy();
  });

  test('that is lost: the next use is an error that says what to do', async () => {
    const device = await ownDevice();
    const runtime = await createRuntime({ device });
    const compiled = runtime.compile((x: Value) => sum(x));
    expect(await compiled([1, 2]).item()).toBe(3);
    device.destroy();
    await device.lost;
    await Promise.resolve();
    const use = async (): Promise<number> => compiled([1, 2]).item();
    await expect(use()).rejects.toThrow(failure('device-lost'));
    await expect(use()).rejects.toThrow(/Create a new runtime and load the model again/);
    runtime.dispose();
  });
});

test('a tensor above the limits of the device is refused with the limit', async () => {
  const device = await ownDevice();
  const runtime = await createRuntime({ device });
  const limit = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  const rows = Math.floor(limit / 4 / 1024) + 1;
  const large = runtime.compile((a: Value, b: Value) => add(a, b));
  const column = runtime.tensor(new Float32Array(rows), { shape: [rows, 1] });
  const make = (): unknown => large(column, new Float32Array(1024));
  expect(make).toThrow(failure('unsupported'));
  expect(make).toThrow(
    `above the device's limit of ${limit} bytes a binding; use a smaller batch or a shorter sequence`,
  );
  runtime.dispose();
  device.destroy();
});

test('a temporary above the limits of the device is an error, not zeros', async () => {
  const device = await ownDevice();
  const runtime = await createRuntime({ device });
  const limit = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  const rows = Math.floor(limit / 4 / 1024) + 1;
  const large = runtime.compile((a: Value, b: Value) => {
    const whole = tanh(add(a, b));
    return add(sum(whole), sum(whole, 0));
  });
  const column = runtime.tensor(new Float32Array(rows), { shape: [rows, 1] });
  const use = async (): Promise<unknown> => large(column, new Float32Array(1024)).read();
  await expect(use()).rejects.toThrow(GatewiseError);
  runtime.dispose();
  device.destroy();
});

test('a shader that does not compile is an error with its line', async () => {
  const broken: Op = defineOp({ ...(elementwiseOp as Op), name: 'broken' });
  const elementwise = webgpuTarget.kernel(elementwiseOp as Op);
  const kernel = defineKernel(broken, {
    dispatches: (placed, device) => {
      const [whole] = elementwise.dispatches(placed, device);
      const element = 'fn element(at: vec4u) {\n  let x: f32 = true;\n}';
      return [{ ...whole, template: { splices: { element } } }];
    },
  });
  const runtime = await runtimeWith([kernel]);
  const compiled = runtime.compile((x: Value) => {
    const { node } = tanh(x);
    return apply(broken, node?.attrs, [x]);
  });
  const use = async (): Promise<unknown> => {
    const result = await compiled([1, 2]).read();
    // The compiler's messages may arrive after the first result.
    await runtime.backend.idle();
    return result;
  };
  const failure: unknown = await use().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(GatewiseError);
  expect(failure).toMatchObject({ code: 'device' });
  expect(String(failure)).toMatch(/elementwise\.wgsl does not compile:\n\d+:\d+ [^]*let x: f32 = true;/);
  runtime.dispose();
});
