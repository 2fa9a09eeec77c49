// The work for sequences of different lengths does not grow with the padding.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { crossEntropy, mse, sgd, Trainer } from '../../src/train/index.ts';
import type { Plan } from '../../src/tools/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  createRuntime,
  Dropout,
  Embedding,
  LayerNorm,
  Linear,
  LSTM,
  MinGRU,
  Sequential,
  type Layer,
  type Runtime,
} from '../../src/index.ts';
import { deviceLengths } from '../device_lengths.ts';

const BATCH = 3;
const LENGTHS = [2, 4, 1];

const flopOf = ({ steps }: Plan): number => steps.reduce((total, { cost }) => total + cost.flop, 0);

/** The number of steps of the recurrent loop. */
const stepsOf = ({ steps }: Plan): number =>
  steps.find(({ op }) => op.name === 'recurrent')?.outputs[0].view.shape[1] ?? 0;

const sizes = { inputSize: 3, hiddenSize: 4 };
const text = (batchFirst: boolean): Layer =>
  new Sequential([
    new Embedding({ numEmbeddings: 5, embeddingDim: 3 }),
    new LSTM({ ...sizes, batchFirst, numLayers: 2 }),
    new LayerNorm({ normalizedShape: 4 }),
    new Dropout({ p: 0.5 }),
    new Linear({ inputSize: 4, outputSize: 5 }),
  ]);

describe('the work', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend: 'cpu' });
  });
  afterAll(() => runtime.dispose());

  const models: Record<string, (batchFirst: boolean) => Layer> = {
    LSTM: (batchFirst) => new LSTM({ ...sizes, batchFirst, bidirectional: true }),
    MinGRU: (batchFirst) => new MinGRU({ ...sizes, batchFirst }),
    'a text model': text,
  };
  const cases = Object.entries(models).flatMap(([name, make]) =>
    [false, true].map((batchFirst) => [name, batchFirst, make(batchFirst)] as const),
  );
  test.each(cases)('of %s, batch first %s, does not grow with T', async (_, batchFirst, model) => {
    using net = await runtime.load(model);
    const plans = [20, 400, 2000].map((steps) => {
      const shape = batchFirst ? [BATCH, steps] : [steps, BATCH];
      const isText = model.inputDType === 'i32';
      const x = isText
        ? runtime.tensor(new Int32Array(BATCH * steps), { shape })
        : runtime.tensor(new Float32Array(BATCH * steps * 3), { shape: [...shape, 3] });
      const width = model.name === 'LSTM' ? 8 : 4;
      const y = isText
        ? x
        : runtime.tensor(new Float32Array(BATCH * steps * width), { shape: [...shape, width] });
      const options = { lengths: LENGTHS };
      const trainer = new Trainer(net, { loss: isText ? crossEntropy : mse, optimizer: sgd({ lr: 0.1 }) });
      return [tools.plan(net, x, options), tools.plan(trainer, x, y, options)];
    });
    for (const [run, step] of plans.slice(1)) {
      expect(run.steps).toHaveLength(plans[0][0].steps.length);
      expect(flopOf(run)).toBe(flopOf(plans[0][0]));
      expect(step.steps).toHaveLength(plans[0][1].steps.length);
      expect(flopOf(step)).toBe(flopOf(plans[0][1]));
    }
  });

  test('is that of the longest sequence, rounded up, in few plans; lengths in a tensor work too', async () => {
    using net = await runtime.load(new LSTM(sizes));
    const x = runtime.tensor(new Float32Array(100 * BATCH * 3), { shape: [100, BATCH, 3] });
    const plans = Array.from({ length: 100 }, (_, i) => tools.plan(net, x, { lengths: [1, i + 1, 1] }));
    const distinct = [...new Set(plans)];
    // 1, 2, 4, 8, 16, 32, 64 and all 100.
    expect(distinct.length).toBe(8);
    plans.forEach((plan, i) => {
      expect(stepsOf(plan)).toBeGreaterThan(i);
      expect(stepsOf(plan)).toBeLessThanOrEqual(2 * i + 2);
    });
    const tensor = runtime.tensor(Int32Array.of(1, 4, 2));
    expect(tools.plan(net, x, { lengths: tensor })).toBe(tools.plan(net, x, { lengths: [4, 4, 4] }));
    expect(stepsOf(tools.plan(net, x, { lengths: deviceLengths(runtime, LENGTHS) }))).toBe(100);
  });
});
