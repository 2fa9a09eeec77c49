// Whether layers share launches: explicitly, and as the calibration of the device says.
import { expect, test } from 'vitest';

import {
  countDispatches,
  createRuntime,
  GRU,
  LSTM,
  lstm,
  mse,
  Random,
  RNN,
  sgd,
  Value,
  type Layer,
  type Plan,
  type RecurrentOptions,
} from '../../src/index.ts';
import type { WebGPUBackend } from '../../src/backend/webgpu/webgpu_backend.ts';
import { deviceInfoOf, SOFTWARE_DEVICE } from '../../src/backend/webgpu/device_info.ts';
import { sharesLaunches } from '../../src/backend/webgpu/kernels/recurrent/geometry.ts';
import { wavefrontStep } from '../../src/ops/recurrent_layers.ts';

const STEPS = 6;
const BATCH = 3;
const INPUTS = 5;
const HIDDEN = 7;
const kinds = {
  RNN: (options: RecurrentOptions) => new RNN(options),
  LSTM: (options: RecurrentOptions) => new LSTM(options),
  GRU: (options: RecurrentOptions) => new GRU(options),
} as const;
type Kind = keyof typeof kinds;

function layersOf(kind: Kind, own: Partial<RecurrentOptions> = {}): Layer {
  return kinds[kind]({ inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 3, ...own });
}

function noise(seed: number, size: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: size }, () => random.normal());
}

/** Of how many layers or directions each loop over time is. */
const loopsOf = ({ steps }: Plan): number[] =>
  steps.flatMap(({ op, attrs }) =>
    op.name === 'recurrent' ? [(attrs as { pseudoLayers: number }).pseudoLayers] : [],
  );

test('all layers take a launch for each step: T + layers - 1, behind the input’s product and the biases of the layers above', async () => {
  using runtime = await createRuntime({ backend: 'webgpu' });
  const x = runtime.tensor(noise(1, STEPS * BATCH * INPUTS), { shape: [STEPS, BATCH, INPUTS] });
  const launches = async (wavefront: boolean): Promise<number> => {
    const { steps } = (await runtime.load(layersOf('LSTM', { wavefront }))).plan(x);
    return steps
      .filter(({ memoised }) => !memoised)
      .reduce((total, step) => total + countDispatches(step, SOFTWARE_DEVICE), 0);
  };
  expect(await launches(true)).toBe(STEPS + 2 + 2);
  expect(await launches(false)).toBe(3 * (STEPS + 1));
});

test('a layer left to itself asks the device, which knows once it is calibrated', async () => {
  using runtime = await createRuntime({ backend: 'webgpu' });
  const backend = runtime.backend as WebGPUBackend;
  const planned = async (hiddenSize: number): Promise<number[]> => {
    const net = await runtime.load(new LSTM({ inputSize: INPUTS, hiddenSize, numLayers: 3 }));
    const x = runtime.tensor(noise(1, STEPS * INPUTS), { shape: [STEPS, 1, INPUTS] });
    const y = runtime.tensor(noise(2, STEPS * hiddenSize), { shape: [STEPS, 1, hiddenSize] });
    const trainer = net.trainer({ loss: mse, optimizer: sgd({ lr: 0.1 }) });
    return [net.plan(x), trainer.plan(x, y)].flatMap(loopsOf);
  };
  expect(await planned(4)).toEqual([1, 1, 1, 1, 1, 1]);
  const calibration = await runtime.calibrate();
  const target = deviceInfoOf(backend.device);
  const answers = [4, 512].map((hidden) => {
    const matrix = new Value({ shape: [4 * hidden, hidden], dtype: 'f32' });
    const layer = { weight_ih: matrix, weight_hh: matrix, bias_ih: matrix };
    const step = wavefrontStep(lstm, [layer, layer, layer], { hidden, batch: 1, masked: false });
    return sharesLaunches(target, calibration, step);
  });
  expect(await planned(4)).toEqual(answers[0] ? [3, 3] : [1, 1, 1, 1, 1, 1]);
  expect(await planned(512)).toEqual(answers[1] ? [3, 3] : [1, 1, 1, 1, 1, 1]);
});
