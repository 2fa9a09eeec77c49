// When layers share launches: where the layer is told to, and else where a launch takes the device longer than a step.
import { describe, expect, test } from 'vitest';

import { LSTM, Noise, Value, type Context, type RecurrentOptions } from '../../src/index.ts';
import type { StackedStep } from '../../src/ops/recurrent_stack.ts';
import { isLaunchBound } from '../../src/plan/calibration.ts';
import { makePlan } from '../../src/plan/plan.ts';

/** Of how many layers or directions each loop over time is. */
function loopsOf(layer: LSTM, context: Context, steps = 4, noisy = false): number[] {
  const shapes = [[steps, 2, layer.inputSize], ...layer.parameters.map(({ shape }) => shape)];
  const args = shapes.map((shape) => new Value({ shape, dtype: 'f32' }));
  const seed = new Value({ shape: [2], dtype: 'i32' });
  const [x, ...values] = args;
  const named = Object.fromEntries(layer.parameters.map(({ name }, i) => [name, values[i]]));
  const { output } = layer.forward(
    x,
    named,
    {},
    { ...context, ...(noisy ? { noise: new Noise(seed) } : {}) },
  );
  return makePlan([...args, seed], [output]).steps.flatMap(({ op, attrs }) =>
    op.name === 'recurrent' ? [(attrs as { chains: number }).chains] : [],
  );
}

const large: RecurrentOptions = { inputSize: 3, hiddenSize: 256, numLayers: 3 };
const bound: Context = { sharesLaunches: () => true };

describe('left to the layer', () => {
  test('it does where a launch takes longer than a step, and not where it does not or nothing is known', () => {
    expect(loopsOf(new LSTM(large), bound)).toEqual([3]);
    expect(loopsOf(new LSTM({ ...large, wavefront: 'auto' }), bound)).toEqual([3]);
    expect(loopsOf(new LSTM(large), { sharesLaunches: () => false })).toEqual([1, 1, 1]);
    expect(loopsOf(new LSTM(large), {})).toEqual([1, 1, 1]);
  });

  test('it asks for a step of all layers, both products in each', () => {
    const asked: StackedStep[] = [];
    loopsOf(new LSTM(large), { sharesLaunches: (step) => asked.push(step) > 0 });
    const [{ flop, bytes, layerBytes }] = asked;
    const weights = 4 * 256 * 256;
    expect(flop).toBeGreaterThan(2 * 3 * 2 * 2 * weights);
    expect(flop).toBeLessThan(1.02 * 2 * 3 * 2 * 2 * weights);
    expect(bytes).toBe(4 * 3 * 2 * weights);
    expect(layerBytes).toBe(4 * weights);
  });

  test('told not to it does not', () => {
    expect(loopsOf(new LSTM({ ...large, wavefront: false }), bound)).toEqual([1, 1, 1]);
  });

  test.each<[string, Partial<RecurrentOptions>, Context]>([
    ['one layer', { numLayers: 1 }, bound],
    ['both directions', { bidirectional: true }, bound],
    ['int8 weights', {}, { ...bound, precision: 'int8' }],
  ])('%s do not', (_, own, context) => {
    const layer = new LSTM({ ...large, ...own });
    const chains = layer.bidirectional ? 2 : 1;
    expect(loopsOf(layer, context)).toEqual(Array.from({ length: layer.options.numLayers }, () => chains));
  });

  test.each<[string, Partial<RecurrentOptions>]>([
    ['dropout between layers', { dropout: 0.1 }],
    ['variational dropout', { recurrentDropout: 0.1 }],
    ['zoneout', { zoneout: { h: 0.1 } }],
  ])('%s keeps them apart while training alone', (_, own) => {
    const layer = new LSTM({ ...large, ...own });
    expect(loopsOf(layer, bound, 4, true)).toEqual([1, 1, 1]);
    expect(loopsOf(layer, bound)).toEqual([3]);
  });

  test('a single step has nothing to overlap', () => {
    expect(loopsOf(new LSTM(large), bound, 1)).toEqual([1, 1, 1]);
    expect(loopsOf(new LSTM({ ...large, wavefront: true }), {}, 1)).toEqual([1, 1, 1]);
  });
});

test('a launch is what takes longest while kernels take less, at a third of what the device can do', () => {
  const device = {
    dispatchSeconds: 3e-6,
    flopPerSecond: 1e12,
    bandwidth: [{ bytes: 1, bytesPerSecond: 1e11 }],
  };
  expect(isLaunchBound(device, 1e6, 0)).toBe(true);
  expect(isLaunchBound(device, 1.01e6, 0)).toBe(false);
  expect(isLaunchBound(device, 0, 1e5)).toBe(true);
  expect(isLaunchBound(device, 0, 1.01e5)).toBe(false);
});
