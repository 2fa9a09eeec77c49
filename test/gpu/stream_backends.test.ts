// A stream that moves from one backend to the other.
import { expect, test } from 'vitest';

import { createRuntime, type Tensor } from '../../src/index.ts';
import { BATCH, drawSteps, pushAll, streamModels } from '../stream_models.ts';

test('a stream saved on one backend continues on the other', async () => {
  const [gpu, cpu] = [await createRuntime({ backend: 'webgpu' }), await createRuntime({ backend: 'cpu' })];
  const weights = await (await gpu.load(streamModels.LSTM(), { seed: 6 })).save();
  const [first, second] = await Promise.all(
    [gpu, cpu].map(async (runtime) =>
      (await runtime.load(streamModels.LSTM(), { weights })).stream({ batch: BATCH }),
    ),
  );
  await pushAll(first, drawSteps(1, 4));
  second.load(await first.save());
  const [x] = drawSteps(2, 1);
  const outputs = await Promise.all([first, second].map(async (stream) => (stream.push(x) as Tensor).read()));
  Array.from(outputs[0]).forEach((value, i) => expect(value).toBeCloseTo(outputs[1][i], 5));
  gpu.dispose();
  cpu.dispose();
});
