// A sequence whose reserve space is too large for one tensor.
import { expect, test } from 'vitest';

import { adam, mse, Trainer } from '../../src/train/index.ts';
import { createRuntime, LSTM, type Layer } from '../../src/index.ts';
import { webgpuTarget } from '../../src/backend/webgpu/kernels/index.ts';
import { segmentSizes } from '../../src/ops/segments.ts';
import { normalTensor } from '../normal.ts';

test('in segments, stored and recomputed activations give the same bits', async () => {
  const runtime = await createRuntime({ backend: 'webgpu' });
  const [steps, batch, hiddenSize] = [33, 4200, 32];
  const make = (recompute: boolean): Layer => new LSTM({ inputSize: 1, hiddenSize, recompute });
  expect(segmentSizes(steps, 1, 16 * batch * hiddenSize, { bytes: webgpuTarget.limits.tensorBytes })).toEqual(
    [16, 17],
  );
  const [x, y] = [
    normalTensor(runtime, 1, [steps, batch, 1]),
    normalTensor(runtime, 2, [steps, batch, hiddenSize]),
  ];
  const results = [];
  for (const recompute of [false, true]) {
    const net = await runtime.load(make(recompute), { seed: 1 });
    const trainer = new Trainer(net, { loss: mse, optimizer: adam({ lr: 0.01 }) });
    const loss = await trainer.step(x, y);
    results.push([loss, ...(await net.context.weights[0].read())]);
    net.dispose();
  }
  expect(results[1]).toEqual(results[0]);
  runtime.dispose();
}, 120_000);
