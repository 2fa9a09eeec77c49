// Floors of workloads on an adapter made up so that the sums can be done by hand.
import { expect, test } from 'vitest';

import { floorOf, withRate } from '../../bench/floor.ts';
import { withFloors } from '../../bench/benchmark.ts';
import { workloads, type MatmulWorkload, type SequenceWorkload } from '../../bench/workloads.ts';
import type { Calibration } from '../../src/index.ts';
import { around, row } from './fixtures.ts';

const flat = (bytesPerSecond: number): Calibration['bandwidth'] => [
  { bytes: 1024, bytesPerSecond },
  { bytes: 2 ** 24, bytesPerSecond },
];
/** A terabyte and a teraflop per second, a tenth of it for one workgroup. */
const calibration: Calibration = {
  device: 'made up',
  method: 'slopes',
  flopPerSecond: 1e12,
  oneWorkgroupFlopPerSecond: 1e11,
  bandwidth: flat(1e12),
  oneWorkgroupBandwidth: flat(1e11),
  dispatchSeconds: 5e-6,
  barrierSeconds: 1e-6,
  roundTripSeconds: 1e-4,
};
const matmul = (rows: number, inner: number, columns: number): MatmulWorkload => {
  return { kind: 'matmul', name: 'm', sets: [], rows, inner, columns };
};
const lstm = (
  steps: number,
  batch: number,
  hiddenSize: number,
  more: Partial<SequenceWorkload> = {},
): SequenceWorkload => {
  const sizes = { steps, batch, inputSize: 1, hiddenSize, numLayers: 1, bidirectional: false };
  return { kind: 'sequence', name: 's', sets: [], cell: 'lstm', ...sizes, ...more };
};

test('a product takes as long as its longest part', () => {
  // 2 · 1000³ FLOP; bytes would take 0.012 ms.
  expect(floorOf(matmul(1000, 1000, 1000), calibration)).toEqual({ time: 2, bound: 'compute' });
  expect(floorOf(matmul(2, 2, 2), calibration)).toEqual({ time: 5e-3, bound: 'dispatch' });
  const slow = { ...calibration, bandwidth: flat(1e9) };
  const { time, bound } = floorOf(matmul(1000, 1000, 1000), slow);
  expect(bound).toBe('bandwidth');
  expect(time).toBeCloseTo(12, 9);
});

test('a sequence is its input product and T steps, by launches or in one, whichever is less', () => {
  // One launch for all steps: a row is 8 · 16² FLOP at 1e11 per second, 0.02 µs, and a barrier of 1 µs.
  const small = floorOf(lstm(100, 1, 16), calibration);
  expect(small.bound).toBe('barrier');
  expect(small.time).toBeCloseTo(5e-3 + 100 * (1e-3 + (8 * 16 * 16) / 1e8), 9);
  // A launch for each step: 8 · 1024² · 64 FLOP, 0.54 ms; one workgroup would be ten times slower at its tile.
  const large = floorOf(lstm(10, 64, 1024), calibration);
  expect(large.bound).toBe('compute');
  const recurrent = (10 * 8 * 1024 ** 2 * 64) / 1e9;
  const input = (8 * 640 * 1024) / 1e9;
  expect(large.time).toBeGreaterThanOrEqual(0.99 * (recurrent + input));
  expect(large.time).toBeLessThan(1.1 * (recurrent + input));
});

test('layers add up, and so do directions where the device is full', () => {
  const one = floorOf(lstm(10, 64, 1024), calibration).time;
  const two = floorOf(lstm(10, 64, 1024, { numLayers: 2 }), calibration).time;
  const both = floorOf(lstm(10, 64, 1024, { bidirectional: true }), calibration).time;
  expect(two).toBeGreaterThan(2 * one);
  expect(both).toBeCloseTo(2 * one, 4);
});

test('a GRU has three quarters of the work of an LSTM, an RNN a quarter', () => {
  const time = (cell: SequenceWorkload['cell']): number =>
    floorOf(lstm(10, 64, 1024, { cell }), calibration).time;
  expect(time('gru') / time('lstm')).toBeCloseTo(0.75, 2);
  expect(time('rnn') / time('lstm')).toBeCloseTo(0.25, 2);
});

test('a stream waits for the round trip', () => {
  const stream = workloads.find(({ name }) => name === 'stream-lstm');
  const floor = stream && floorOf(stream, calibration);
  expect(floor?.bound).toBe('round trip');
  expect(floor?.time).toBeCloseTo(0.105, 9);
});

test('a faster adapter has no higher floor, for every workload', () => {
  const faster: Calibration = { ...calibration, flopPerSecond: 2e12, oneWorkgroupFlopPerSecond: 2e11 };
  for (const workload of workloads) {
    const before = floorOf(workload, calibration).time;
    expect(before).toBeGreaterThan(0);
    expect(floorOf(workload, faster).time).toBeLessThanOrEqual(before);
    expect(floorOf(workload, withRate(calibration, 5e11)).time).toBeGreaterThanOrEqual(before);
  }
});

test('rows get ρ by pace, streams by latency, and a second one by the rate of the fastest product', () => {
  const chosen = workloads.filter(({ name }) => ['stream-lstm', 'matmul-square'].includes(name));
  const rows = withFloors(
    chosen,
    [
      row('gatewise webgpu', 'stream-lstm', around(0.01), around(0.21)),
      // 2 · 512³ FLOP in 0.54 ms: half of what the registers can.
      row('gatewise webgpu', 'matmul-square', around((2 * 2 * 512 ** 3) / 1e9), around(9)),
      row('gatewise cpu', 'matmul-square', around(1), around(1), { backend: 'cpu' }),
    ],
    calibration,
  );
  expect(rows[0].rho).toBeCloseTo(0.5, 9);
  expect(rows[1].rho).toBeCloseTo(0.5, 9);
  expect(rows[1].rhoProduct).toBeCloseTo(1, 9);
  expect(rows[2].rho).toBeUndefined();
});
