// When stacked layers run as a wavefront: with the option, or where the target prefers it.
import { describe, expect, test } from 'vitest';

import {
  LSTM,
  lstm,
  minGRU,
  MinGRU,
  Noise,
  Recurrent,
  recurrentSequence,
  Value,
  withZoneout,
  type RecurrentOptions,
} from '../../src/index.ts';
import type { TargetLimits, WavefrontStep } from '../../src/graph/value.ts';
import { targetOf, webgpuKernels } from '../../src/backend/webgpu/kernels/index.ts';
import { fakeQuantize } from '../../src/ops/fake_quantize.ts';
import type { WeightPrecision } from '../../src/ops/weight_precision.ts';
import { GPU_DEVICE, SOFTWARE_DEVICE } from '../../src/backend/webgpu/device_info.ts';
import { sharesLaunches } from '../../src/backend/webgpu/kernels/recurrent/wavefront.ts';
import { loopsOf } from '../loops.ts';
import { planOf } from '../webgpu_plan.ts';

interface Planned {
  readonly prefers?: TargetLimits['prefersWavefront'];
  readonly precision?: WeightPrecision;
  readonly steps?: number;
  readonly training?: boolean;
}

/** The number of pseudo-layers of each loop in the plan of a layer. */
function plannedLoops(
  layer: Recurrent,
  { prefers = () => false, precision = 'float32', steps = 4, training = false }: Planned = {},
): number[] {
  const shapes = [[steps, 2, layer.inputSize], ...layer.parameters.map(({ shape }) => shape)];
  const args = shapes.map((shape) => new Value({ shape, dtype: 'f32' }));
  const seed = new Value({ shape: [2], dtype: 'i32' });
  const [x, ...values] = args;
  const named = layer.parameters.map(({ name, quantizable }, i): [string, Value] => [
    name,
    quantizable === true ? fakeQuantize(values[i], precision) : values[i],
  ]);
  const context = training ? { noise: new Noise(seed) } : {};
  const { output } = layer.forward(x, Object.fromEntries(named), {}, context);
  const target = targetOf(webgpuKernels, prefers);
  return loopsOf(planOf([...args, seed], [output], { target }));
}

const large: RecurrentOptions = { inputSize: 3, hiddenSize: 256, numLayers: 3 };
const bound: Planned = { prefers: () => true };

describe('without the option', () => {
  test('layers are a wavefront where the target prefers it, and not by default', () => {
    expect(plannedLoops(new LSTM(large), bound)).toEqual([3]);
    expect(plannedLoops(new LSTM({ ...large, wavefront: 'auto' }), bound)).toEqual([3]);
    expect(plannedLoops(new LSTM(large), { prefers: () => false })).toEqual([1, 1, 1]);
    expect(plannedLoops(new LSTM(large))).toEqual([1, 1, 1]);
  });

  test('the target gets the cost of a step of all layers, with both products of each', () => {
    const asked: WavefrontStep[] = [];
    const prefers = (step: WavefrontStep): boolean => asked.push(step) > 0;
    plannedLoops(new LSTM(large), { prefers });
    const [{ flop, bytes, layerBytes }] = asked;
    const weights = 4 * 256 * 256;
    expect(flop).toBeGreaterThan(2 * 3 * 2 * 2 * weights);
    expect(flop).toBeLessThan(1.02 * 2 * 3 * 2 * 2 * weights);
    expect(bytes).toBe(4 * 3 * 2 * weights);
    expect(layerBytes).toBe(4 * weights);
    plannedLoops(new LSTM(large), { prefers, precision: 'f16' });
    expect(asked[1]).toEqual({ flop, bytes: bytes / 2, layerBytes: layerBytes / 2 });
  });

  test('wavefront: false prevents it', () => {
    expect(plannedLoops(new LSTM({ ...large, wavefront: false }), bound)).toEqual([1, 1, 1]);
  });

  test.each<[string, Partial<RecurrentOptions>, Planned]>([
    ['one layer', { numLayers: 1 }, bound],
    ['both directions', { bidirectional: true }, bound],
    ['int8 weights', {}, { ...bound, precision: 'int8' }],
    ['recompute', { recompute: true }, bound],
  ])('%s: no wavefront', (_, own, context) => {
    const layer = new LSTM({ ...large, ...own });
    const pseudoLayers = layer.bidirectional ? 2 : 1;
    expect(plannedLoops(layer, context)).toEqual(
      Array.from({ length: layer.options.numLayers }, () => pseudoLayers),
    );
  });

  test.each<[string, Partial<RecurrentOptions>]>([
    ['dropout between layers', { dropout: 0.1 }],
    ['variational dropout', { recurrentDropout: 0.1 }],
    ['zoneout', { zoneout: { h: 0.1 } }],
  ])('%s prevents it in training only', (_, own) => {
    const layer = new LSTM({ ...large, ...own });
    expect(plannedLoops(layer, { ...bound, training: true })).toEqual([1, 1, 1]);
    expect(plannedLoops(layer, bound)).toEqual([3]);
  });

  test('a single step is no wavefront', () => {
    expect(plannedLoops(new LSTM(large), { ...bound, steps: 1 })).toEqual([1, 1, 1]);
    expect(plannedLoops(new LSTM({ ...large, wavefront: true }), { steps: 1 })).toEqual([1, 1, 1]);
  });
});

describe('a device', () => {
  const calibration = {
    dispatchSeconds: 3e-6,
    flopPerSecond: 1e12,
    bandwidth: [{ bytes: 1, bytesPerSecond: 1e11 }],
  };
  const large = { flop: 0, bytes: 0, layerBytes: 1024 ** 2 };

  test('without a calibration does not prefer a wavefront', () => {
    expect(sharesLaunches(GPU_DEVICE, undefined, large)).toBe(false);
  });

  test.each([GPU_DEVICE, SOFTWARE_DEVICE])(
    'prefers one where a launch takes longer than the step at a third of its rates',
    (target) => {
      const shares = (step: object): boolean => sharesLaunches(target, calibration, { ...large, ...step });
      expect(shares({ flop: 1e6 })).toBe(true);
      expect(shares({ flop: 1.01e6 })).toBe(false);
      expect(shares({ bytes: 1e5 })).toBe(true);
      expect(shares({ bytes: 1.01e5 })).toBe(false);
    },
  );

  test('does not prefer one where a persistent variant runs a layer in one launch', () => {
    const small = { ...large, layerBytes: 512 * 1024 };
    expect(sharesLaunches(GPU_DEVICE, calibration, small)).toBe(false);
    expect(sharesLaunches(SOFTWARE_DEVICE, calibration, small)).toBe(true);
  });
});

describe('invalid pseudo-layers are refused', () => {
  const value = (...shape: number[]): Value => new Value({ shape, dtype: 'f32' });
  const products = value(3, 2, 16);
  const hh = value(16, 4);

  test('three directions', () => {
    expect(() =>
      recurrentSequence(lstm, {
        products: [products, products, products],
        weights: [{ hh }, { hh }, { hh }],
      }),
    ).toThrow(/expected products of one direction or both, got 3; stacked layers are wavefront: true/);
  });

  test.each([
    [
      'the lowest of stacked layers',
      true,
      [
        { hh, ih: hh },
        { hh, ih: hh },
      ],
      0,
    ],
    ['a direction', false, [{ hh }, { hh, ih: hh }], 1],
  ])('weight_ih for %s', (_, wavefront, weights, which) => {
    expect(() => recurrentSequence(lstm, { wavefront, products: [products, products], weights })).toThrow(
      `weights ${which} have an ih, which only layers of a wavefront above the lowest multiply by`,
    );
  });

  test('a cell that draws random numbers', () => {
    const layer = new Recurrent('Stack', withZoneout(lstm, 0.5, true), { ...large, wavefront: true });
    expect(() => plannedLoops(layer)).toThrow(
      'Stack: layers with a cell that draws random numbers cannot share launches; leave out wavefront',
    );
  });
});

test('int8 weights in a wavefront are refused', () => {
  expect(() => plannedLoops(new LSTM({ ...large, wavefront: true }), { precision: 'int8' })).toThrow(
    'lstm: layers with int8 weights cannot share launches; leave out wavefront',
  );
});

test('layers that run as a scan are no wavefront; their cell in a Recurrent layer is', () => {
  const sizes = { inputSize: 4, hiddenSize: 4, numLayers: 2 };
  expect(plannedLoops(new MinGRU(sizes), bound)).toEqual([]);
  expect(plannedLoops(new Recurrent('Loop', minGRU, { ...sizes, wavefront: true }))).toEqual([2]);
});
