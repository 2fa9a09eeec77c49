// When layers run as a wavefront: with the option, and by the calibration of the device.
import { expect, test } from 'vitest';

import { mse, sgd, Trainer } from '../../src/train/index.ts';
import { countDispatches } from '../../src/tools/index.ts';
import * as tools from '../../src/tools/index.ts';
import { createRuntime, LSTM, lstm, Value } from '../../src/index.ts';
import type { WebGPUBackend } from '../../src/backend/webgpu/webgpu_backend.ts';
import { deviceInfoOf, SOFTWARE_DEVICE } from '../../src/backend/webgpu/device_info.ts';
import { sharesLaunches } from '../../src/backend/webgpu/kernels/recurrent/wavefront.ts';
import { wavefrontStep } from '../../src/ops/wavefront.ts';
import { loopsOf } from '../loops.ts';
import { normalTensor } from '../normal.ts';
import { BATCH, INPUTS, stackedLayer, STEPS } from '../stacked_layer.ts';

test('a wavefront takes T + L - 1 launches, and one each for the input product and for the biases of the upper layers', async () => {
  using runtime = await createRuntime({ backend: 'webgpu' });
  const x = normalTensor(runtime, 1, [STEPS, BATCH, INPUTS]);
  const launches = async (wavefront: boolean): Promise<number> => {
    const { steps } = tools.plan(await runtime.load(stackedLayer('LSTM', { wavefront })), x);
    return steps
      .filter(({ memoised }) => !memoised)
      .reduce((total, step) => total + countDispatches(step, SOFTWARE_DEVICE), 0);
  };
  expect(await launches(true)).toBe(STEPS + 2 + 2);
  expect(await launches(false)).toBe(3 * (STEPS + 1));
});

test('without the option a layer runs as a wavefront where the calibration of the device prefers it', async () => {
  using runtime = await createRuntime({ backend: 'webgpu' });
  const backend = runtime.backend as WebGPUBackend;
  const planned = async (hiddenSize: number): Promise<number[]> => {
    const net = await runtime.load(new LSTM({ inputSize: INPUTS, hiddenSize, numLayers: 3 }));
    const x = normalTensor(runtime, 1, [STEPS, 1, INPUTS]);
    const y = normalTensor(runtime, 2, [STEPS, 1, hiddenSize]);
    const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 0.1 }) });
    return [tools.plan(net, x), tools.plan(trainer, x, y)].flatMap(loopsOf);
  };
  expect(await planned(4)).toEqual([1, 1, 1, 1, 1, 1]);
  const calibration = await runtime.calibrate();
  const target = deviceInfoOf(backend.device);
  const answers = [4, 512].map((hidden) => {
    const matrix = new Value({ shape: [4 * hidden, hidden], dtype: 'f32' });
    const layer = { weight_ih: matrix, weight_hh: matrix };
    const size = { hidden, batch: 1, bias: true, masked: false };
    const step = wavefrontStep(lstm, [layer, layer, layer], size);
    return sharesLaunches(target, calibration, step);
  });
  expect(await planned(4)).toEqual(answers[0] ? [3, 3] : [1, 1, 1, 1, 1, 1]);
  expect(await planned(512)).toEqual(answers[1] ? [3, 3] : [1, 1, 1, 1, 1, 1]);
});
