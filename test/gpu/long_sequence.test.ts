// A sequence that is too long for one tensor.
import { expect, test } from 'vitest';

import {
  adam,
  createRuntime,
  LSTM,
  mse,
  Random,
  type Layer,
  type Runtime,
  type Tensor,
} from '../../src/index.ts';
import { webgpuTarget } from '../../src/backend/webgpu/kernels/index.ts';
import { segmentSizes } from '../../src/ops/segments.ts';

function normals(runtime: Runtime, seed: number, shape: readonly number[]): Tensor {
  const random = new Random(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return runtime.tensor(
    Float32Array.from({ length: size }, () => random.normal()),
    { shape },
  );
}

test('a sequence too long for one tensor gives the same bits stored and computed again', async () => {
  const runtime = await createRuntime({ backend: 'webgpu' });
  const [steps, batch, hiddenSize] = [33, 4200, 32];
  const make = (recompute: boolean): Layer => new LSTM({ inputSize: 1, hiddenSize, recompute });
  expect(segmentSizes(steps, 1, 16 * batch * hiddenSize, { bytes: webgpuTarget.limits.tensorBytes })).toEqual(
    [16, 17],
  );
  const [x, y] = [normals(runtime, 1, [steps, batch, 1]), normals(runtime, 2, [steps, batch, hiddenSize])];
  const results = [];
  for (const recompute of [false, true]) {
    const net = await runtime.load(make(recompute), { seed: 1 });
    const trainer = net.trainer({ loss: mse, optimizer: adam({ lr: 0.01 }) });
    const loss = await trainer.step(x, y);
    results.push([loss, ...(await net.weights.read())]);
    net.dispose();
  }
  expect(results[1]).toEqual(results[0]);
  runtime.dispose();
}, 120_000);
