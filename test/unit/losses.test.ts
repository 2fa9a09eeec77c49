// The gradients of the losses against central differences in float64, with and without masks and ignored labels.
import { afterAll, expect, test } from 'vitest';

import {
  bceWithLogits,
  crossEntropy,
  crossEntropyWith,
  mse,
  valueAndGrad,
  type Loss,
} from '../../src/train/index.ts';
import { createRuntime, type Value } from '../../src/index.ts';
import { Random } from '../../src/core/random.ts';

const runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
afterAll(() => runtime.dispose());

const ROWS = 6;
const CLASSES = 4;
const MASKS = { all: [1, 1, 1, 1, 1, 1], some: [1, 0, 1, 1, 0, 1], one: [0, 0, 0, 1, 0, 0] };
const losses: Record<string, Loss> = {
  crossEntropy,
  'crossEntropy, smoothed': crossEntropyWith({ labelSmoothing: 0.2, ignoreIndex: 1 }),
  mse,
  bceWithLogits,
};

test.each(Object.keys(losses).flatMap((name) => Object.keys(MASKS).map((mask) => [name, mask] as const)))(
  '%s, %s',
  async (name, maskName) => {
    const loss = losses[name];
    const random = new Random(1, name.length);
    const normals = (count: number): Float64Array =>
      Float64Array.from({ length: count }, () => random.normal());
    const shape = [ROWS, CLASSES];
    const output = normals(ROWS * CLASSES);
    // Points where a derivative is easily wrong.
    output[0] = 0;
    const target =
      loss.targetDType === 'i32'
        ? runtime.tensor(Int32Array.of(0, 1, 3, 2, 1, -100 * Number(name === 'crossEntropy')))
        : runtime.tensor(normals(ROWS * CLASSES), { shape });
    const apply = runtime.compile(valueAndGrad((x: Value, y: Value, mask: Value) => loss.apply(x, y, mask)));
    const mask = runtime.tensor(MASKS[maskName as keyof typeof MASKS]);
    const at = (x: Float64Array): ReturnType<typeof apply> =>
      apply(runtime.tensor(x, { shape }), target, mask);
    const gradient = Float64Array.from(await at(output)[1].read());
    const STEP = 1e-5;
    for (const i of output.keys()) {
      const moved = (by: number): Promise<number> =>
        at(output.map((x, j) => (j === i ? x + by : x)))[0].item();
      const difference = ((await moved(STEP)) - (await moved(-STEP))) / (2 * STEP);
      expect(Math.abs(difference - gradient[i]), `element ${i}`).toBeLessThan(1e-8);
    }
    apply.dispose();
  },
);
