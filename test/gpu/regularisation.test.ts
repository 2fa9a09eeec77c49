// Zoneout, variational dropout and dropout between layers on the device: the same units as on the CPU.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  createRuntime,
  elmanTanh,
  gru,
  lstm,
  lstmProjected,
  Recurrent,
  type Cell,
  type RecurrentOptions,
  type Runtime,
} from '../../src/index.ts';
import {
  differing,
  draw,
  drawCotangents,
  drawParameters,
  drawStates,
  partsOf,
  runLayer,
  type LayerInput,
  type LayerResult,
  type Named,
  type Numbers,
} from '../layer_run.ts';

const SEED = [1234, 5] as const;
const INPUTS = 3;

const layerOf = (cell: Cell, options: Partial<RecurrentOptions>): Recurrent =>
  new Recurrent('Recurrent', cell, {
    inputSize: INPUTS,
    hiddenSize: 5,
    ...(cell.projects ? { projSize: 2 } : {}),
    ...options,
  });

const inputOf = (layer: Recurrent, steps = 4, batch = 3): LayerInput => ({
  x: draw(1, layer.batchFirst ? [batch, steps, INPUTS] : [steps, batch, INPUTS]),
  parameters: drawParameters(layer, 10),
  states: drawStates(layer, batch, 100),
  cotangents: drawCotangents(layer, steps, batch, 200),
});

const outputsOf = ({ output, finals }: LayerResult): Named => ({ output, ...finals });

describe('on both backends', () => {
  let gpu: Runtime;
  let cpu: Runtime;
  beforeAll(async () => {
    gpu = await createRuntime({ backend: 'webgpu' });
    cpu = await createRuntime({ backend: 'cpu' });
  });
  afterAll(() => {
    gpu.dispose();
    cpu.dispose();
  });

  test.each([lstm, lstmProjected, gru].map((cell) => [cell.name, cell] as const))(
    '%s: the same units are kept and dropped, forward and backward',
    async (_, cell) => {
      const layer = layerOf(cell, {
        zoneout: 0.3,
        recurrentDropout: 0.4,
        dropout: 0.5,
        numLayers: 2,
        bidirectional: true,
      });
      const input = { ...inputOf(layer), seed: SEED, lengths: [2, 4, 1] };
      const first = partsOf(await runLayer(gpu, layer, input));
      expect(differing(first, partsOf(await runLayer(cpu, layer, input)), 1e-4)).toEqual([]);
      expect(differing(partsOf(await runLayer(gpu, layer, input)), first, 0)).toEqual([]);
    },
  );

  test.each([0.1, 0.7, 0.95])('zoneout %d keeps that share of units, at every step others', async (rate) => {
    // h' is 0 where it is not kept.
    const [steps, batch, hiddenSize] = [5, 8, 64];
    const layer = layerOf(elmanTanh, { hiddenSize, zoneout: rate, bias: false });
    const zero = ({ shape, data }: Numbers): Numbers => ({ shape, data: new Float64Array(data.length) });
    const input: LayerInput = {
      x: draw(1, [steps, batch, INPUTS]),
      parameters: Object.fromEntries(
        Object.entries(drawParameters(layer, 1)).map(([name, numbers]) => [name, zero(numbers)]),
      ),
      states: { h: { shape: [1, batch, hiddenSize], data: new Float64Array(batch * hiddenSize).fill(1) } },
      seed: SEED,
      cotangents: drawCotangents(layer, steps, batch, 2),
    };
    const got = await runLayer(gpu, layer, input);
    expect(differing(outputsOf(got), outputsOf(await runLayer(cpu, layer, input)), 0)).toEqual([]);
    // Of the units that are left at each step, the share that stays.
    const size = batch * hiddenSize;
    let before = size;
    for (let t = 0; t < steps && before > 100; t++) {
      const kept = got.output.data.slice(t * size, (t + 1) * size).filter((value) => value === 1).length;
      expect(Math.abs(kept / before - rate)).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / before));
      before = kept;
    }
  });
});
