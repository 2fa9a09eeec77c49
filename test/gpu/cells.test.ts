// Cells that the library does not have train on the device, in as many dispatches as its own, with the results of the CPU.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { allCells } from '../../src/cells/index.ts';
import { adam, mse, Trainer } from '../../src/train/index.ts';
import { countDispatches, type Plan } from '../../src/tools/index.ts';
import * as tools from '../../src/tools/index.ts';
import {
  add,
  apart,
  createRuntime,
  defineCell,
  late,
  Linear,
  lstm,
  mul,
  Recurrent,
  Sequential,
  sigmoid,
  sub,
  tanh,
  type Cell,
  type Layer,
  type Runtime,
} from '../../src/index.ts';
import { SOFTWARE_DEVICE } from '../../src/backend/webgpu/device_info.ts';
import {
  differing,
  draw,
  drawCotangents,
  drawParameters,
  drawStates,
  partsOf,
  runLayer,
} from '../layer_run.ts';
import { randomCell } from '../random_cell.ts';

const INPUTS = 3;
const HIDDEN = 6;

/** A cell with two states and a weight per unit. */
const leaky = defineCell({
  name: 'leaky',
  gates: ['i', 'g', apart('o')],
  states: ['h', 'trace'],
  weights: { decay: 'uniform' },
  update: ({ i, g, o }, { trace }, { decay }) => {
    const next = add(mul(sigmoid(decay), trace), mul(sigmoid(i), tanh(g)));
    return { trace: next, h: mul(sigmoid(add(o.input, mul(decay, o.recurrent))), tanh(next)) };
  },
});
const withLate = defineCell({
  name: 'late',
  gates: ['a', late('n')],
  states: ['h'],
  update: ({ a, n }, { h }) => ({ h: tanh(n(mul(sigmoid(a), h))) }),
});
const withMean = defineCell({
  name: 'mean',
  gates: ['a', 'b'],
  states: ['h'],
  update: ({ a, b }, _, { mean }) => ({ h: mul(tanh(sub(a, mean(a))), sigmoid(b)) }),
});

const modelOf = (cell: Cell): Layer => {
  const options = { inputSize: INPUTS, hiddenSize: HIDDEN, ...(cell.projects ? { projSize: 4 } : {}) };
  const layer = new Recurrent('Own', cell, options);
  return new Sequential([layer, new Linear({ inputSize: layer.outputSize, outputSize: 1 })]);
};

describe('on the device', () => {
  let runtime: Runtime;
  let cpu: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend: 'webgpu' });
    cpu = await createRuntime({ backend: 'cpu' });
  });
  afterAll(() => {
    runtime.dispose();
    cpu.dispose();
  });

  /** A batch whose target is the running mean of the first input. */
  const batchOf = (steps: number): { x: number[][][]; y: number[][][] } => {
    const { data } = draw(3, [steps, 4, INPUTS]);
    const at = (t: number, b: number, i: number): number => data[(t * 4 + b) * INPUTS + i];
    const rows = Array.from({ length: steps }, (_, t) =>
      Array.from({ length: 4 }, (_, b) => Array.from({ length: INPUTS }, (_, i) => at(t, b, i))),
    );
    const y = rows.map((row, t) =>
      row.map((_, b) => {
        const past = Array.from({ length: t + 1 }, (_, n) => at(n, b, 0));
        return [past.reduce((a, c) => a + c, 0) / past.length];
      }),
    );
    return { x: rows, y };
  };

  /** Dispatches per time step, forward and backward, in the plan of a training step. */
  async function perStep(cell: Cell): Promise<number> {
    const net = await runtime.load(modelOf(cell));
    const trainer = new Trainer(net, { loss: mse, optimizer: adam({ lr: 1e-2 }) });
    const planOf = (steps: number): Plan => {
      const { x, y } = batchOf(steps);
      return tools.plan(trainer, x, y);
    };
    const [few, many] = [7, 12].map((steps) =>
      planOf(steps).steps.reduce((total, step) => total + countDispatches(step, SOFTWARE_DEVICE), 0),
    );
    trainer.dispose();
    return (many - few) / 5;
  }

  test.each([
    ['a cell of two states and a weight per unit', leaky, 2],
    ['a cell with a late gate', withLate, 4],
    ['a cell with a mean', withMean, 4],
  ] as const)('%s trains', async (_, cell, dispatches) => {
    expect(await perStep(cell)).toBe(dispatches);
    const net = await runtime.load(modelOf(cell), { seed: 1 });
    const trainer = new Trainer(net, { loss: mse, optimizer: adam({ lr: 2e-2 }) });
    const { x, y } = batchOf(7);
    const losses: number[] = [];
    for (let i = 0; i < 60; i++) losses.push(await trainer.step(x, y));
    expect(losses[59]).toBeLessThan(0.3 * losses[0]);
    trainer.dispose();
  });

  test('a cell of one phase takes as many dispatches per time step as LSTM', async () => {
    expect(await perStep(leaky)).toBe(await perStep(lstm));
  });

  test.each(allCells.map((cell) => [cell.name, cell] as const))(
    '%s: as many dispatches per time step as phases',
    async (_, cell) => {
      const { forward, backward } = cell.program({ bias: true, masked: false });
      expect(await perStep(cell)).toBe(forward.length + backward.length);
    },
  );

  const seeds = [2, 4, 7, 11, 14, 20, 24, 29];
  test.each(seeds)('the cell drawn from seed %d gives the results of the CPU', async (seed) => {
    const drawn = randomCell(seed);
    const cell = defineCell({ ...drawn.declaration, dropsRecurrent: false });
    const layer = new Recurrent('Own', cell, {
      inputSize: INPUTS,
      hiddenSize: HIDDEN,
      ...(cell.projects ? { projSize: 4 } : {}),
      bidirectional: seed % 2 === 0,
    });
    const input = {
      x: draw(seed, [4, 3, INPUTS]),
      parameters: drawParameters(layer, seed, 0.5),
      states: drawStates(layer, 3, seed + 100),
      lengths: [2, 4, 1],
      cotangents: drawCotangents(layer, 4, 3, seed + 200),
    };
    const [got, expected] = [await runLayer(runtime, layer, input), await runLayer(cpu, layer, input)];
    expect(differing(partsOf(got), partsOf(expected), 1e-4)).toEqual([]);
  });
});
