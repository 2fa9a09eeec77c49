// Zoneout, variational dropout and dropout between layers on the device: the same units as on the CPU.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createRuntime, elmanTanh, gru, lstm, lstmProjected, type Runtime } from '../../src/index.ts';
import {
  differing,
  draw,
  drawCotangents,
  drawParameters,
  partsOf,
  runLayer,
  type LayerInput,
  type Numbers,
} from '../layer_run.ts';
import { drawInput, INPUTS, outputsOf, smallLayer } from '../small_layer.ts';

const SEED = [1234, 5] as const;
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
    '%s: zoneout and dropout select the same units as on the CPU, forward and backward',
    async (_, cell) => {
      const layer = smallLayer(cell, {
        zoneout: 0.3,
        recurrentDropout: 0.4,
        dropout: 0.5,
        numLayers: 2,
        bidirectional: true,
      });
      const input = { ...drawInput(layer), seed: SEED, lengths: [2, 4, 1] };
      const first = partsOf(await runLayer(gpu, layer, input));
      expect(differing(first, partsOf(await runLayer(cpu, layer, input)), 1e-4)).toEqual([]);
      expect(differing(partsOf(await runLayer(gpu, layer, input)), first, 0)).toEqual([]);
    },
  );

  test.each([0.1, 0.7, 0.95])(
    'zoneout %d keeps that share of units, drawn anew at every step',
    async (rate) => {
      // All weights are 0, so h is 1 where every step kept it, else 0.
      const [steps, batch, hiddenSize] = [5, 8, 64];
      const layer = smallLayer(elmanTanh, { hiddenSize, zoneout: rate, bias: false });
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
      // The share of units that each step keeps, of those that all steps before it kept.
      const size = batch * hiddenSize;
      let before = size;
      for (let t = 0; t < steps && before > 100; t++) {
        const kept = got.output.data.slice(t * size, (t + 1) * size).filter((value) => value === 1).length;
        expect(Math.abs(kept / before - rate)).toBeLessThan(5 * Math.sqrt((rate * (1 - rate)) / before));
        before = kept;
      }
    },
  );
});
