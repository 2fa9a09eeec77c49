// Floors of workloads on an adapter made up so that the sums can be done by hand.
import { expect, test } from 'vitest';

import { withRho } from '../../bench/benchmark.ts';
import { floorOf } from '../../bench/floor.ts';
import { workloads, type SequenceWorkload, type Workload } from '../../bench/workloads.ts';
import type { Calibration } from '../../src/index.ts';
import { around, row } from './fixtures.ts';

const flat = (bytesPerSecond: number): Calibration['bandwidth'] => [{ bytes: 1024, bytesPerSecond }];
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
const slow = { ...calibration, bandwidth: flat(1e9) };
const matmul = (size: number): Workload => {
  return { kind: 'matmul', name: 'm', sets: [], rows: size, inner: size, columns: size };
};
const lstm = (T: number, B: number, H: number, more: Partial<SequenceWorkload> = {}): Workload => {
  const sizes = { steps: T, batch: B, inputSize: 1, hiddenSize: H, numLayers: 1, bidirectional: false };
  return { kind: 'sequence', name: 's', sets: [], cell: 'lstm', ...sizes, ...more };
};
const embedding = (rows: number, count: number): Workload => {
  return { kind: 'embedding', name: 'e', sets: [], rows, columns: 1000, count };
};
const timeOf = (workload: Workload): number => floorOf(workload, calibration);
const stream = workloads.find(({ name }) => name === 'stream-lstm')!;

test.each<[string, Workload, Calibration, number]>([
  // 2 · 1000³ FLOP; bytes would take 0.012 ms.
  ['a large product', matmul(1000), calibration, 2],
  ['a small product', matmul(2), calibration, 5e-3],
  ['a product on a slow memory', matmul(1000), slow, 12],
  // One launch for all steps: a row is 8 · 16² FLOP at 1e11 per second, 0.02 µs, and a barrier of 1 µs.
  ['a narrow sequence', lstm(100, 1, 16), calibration, 5e-3 + 100 * (1e-3 + (8 * 16 * 16) / 1e8)],
  // A launch for each step; one workgroup would be ten times slower at its tile. The input product is of 640 rows.
  ['a wide sequence', lstm(10, 64, 1024), calibration, (8 * 1024 ** 2 * 640) / 1e9 + 0.0105047],
  // The table is written and the gradients are read, 4 bytes each.
  ['a large embedding', embedding(9000, 1000), calibration, 4e-2],
  ['a small embedding', embedding(9, 1), calibration, 5e-3],
  ['a step of a stream', stream, calibration, 0.105],
])('%s takes as long as its longest part', (_, workload, on, time) => {
  expect(floorOf(workload, on)).toBeCloseTo(time, 4);
});

test('layers, directions and gates add up where the device is full', () => {
  const one = timeOf(lstm(10, 64, 1024));
  expect(timeOf(lstm(10, 64, 1024, { numLayers: 2 }))).toBeGreaterThan(2 * one);
  expect(timeOf(lstm(10, 64, 1024, { bidirectional: true }))).toBeCloseTo(2 * one, 4);
  expect(timeOf(lstm(10, 64, 1024, { cell: 'gru' })) / one).toBeCloseTo(0.75, 2);
  expect(timeOf(lstm(10, 64, 1024, { cell: 'rnn' })) / one).toBeCloseTo(0.25, 2);
});

test('a faster adapter has no higher floor, for every workload', () => {
  const at = (speed: number): Calibration => ({
    ...calibration,
    flopPerSecond: 1e12 * speed,
    oneWorkgroupFlopPerSecond: 1e11 * speed,
  });
  for (const workload of workloads) {
    const before = timeOf(workload);
    expect(before).toBeGreaterThan(0);
    expect(floorOf(workload, at(2))).toBeLessThanOrEqual(before);
    expect(floorOf(workload, at(0.5))).toBeGreaterThanOrEqual(before);
  }
});

test('rows get ρ by pace, streams by latency, and those of the CPU none', () => {
  const rows = withRho(
    workloads,
    [
      row('gatewise webgpu', 'stream-lstm', around(0.01), around(0.21)),
      // 2 · 512³ FLOP in 0.54 ms: half of what the registers can.
      row('gatewise webgpu', 'matmul-square', around((2 * 2 * 512 ** 3) / 1e9), around(9)),
      row('gatewise cpu', 'matmul-square', around(1), around(1), { backend: 'cpu' }),
    ],
    calibration,
  );
  expect(rows.map(({ rho }) => rho?.toFixed(6))).toEqual(['0.500000', '0.500000', undefined]);
});
