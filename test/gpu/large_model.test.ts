// A model of more than 128 MiB on a device of default limits, whose largest binding is as much.
import { expect, test } from 'vitest';

import { createRuntime, LSTM } from '../../src/index.ts';
import { mse, sgd, Trainer } from '../../src/train/index.ts';

test('LSTM 1024, four layers, runs and trains on a device of default limits', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter?.requestDevice();
  if (device === undefined) throw new Error('no WebGPU adapter');
  const runtime = await createRuntime({ device });
  const net = await runtime.load(new LSTM({ inputSize: 1024, hiddenSize: 1024, numLayers: 4 }), { seed: 1 });
  expect(4 * net.parameterCount).toBeGreaterThan(device.limits.maxStorageBufferBindingSize);
  const x = runtime.tensor(
    Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i)),
    { shape: [1, 1, 1024] },
  );
  const before = Array.from(await net.run(x).read());
  const target = runtime.tensor(new Float32Array(1024), { shape: [1, 1, 1024] });
  const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 1 }) });
  const first = await trainer.step(x, target);
  expect(first).toBeCloseTo(before.reduce((sum, h) => sum + h * h, 0) / 1024, 8);
  const after = await net.run(x).read();
  expect(Math.hypot(...after)).toBeLessThan(Math.hypot(...before));
  runtime.dispose();
  device.destroy();
  // A software adapter takes its time.
}, 240_000);
