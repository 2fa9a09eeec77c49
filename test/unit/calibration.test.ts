// The least time that work can take, from the numbers of a device that was made up.
import { expect, test } from 'vitest';

import { Value } from '../../src/graph/value.ts';
import { gather } from '../../src/ops/gather.ts';
import { bandwidthFor, floorSeconds } from '../../src/plan/calibration.ts';
import { makePlan } from '../../src/plan/plan.ts';

const device = {
  flopPerSecond: 1e12,
  dispatchSeconds: 5e-6,
  bandwidth: [
    { bytes: 2 ** 16, bytesPerSecond: 800e9 },
    { bytes: 2 ** 20, bytesPerSecond: 400e9 },
    { bytes: 2 ** 24, bytesPerSecond: 100e9 },
  ],
};

test.each([
  ['what was measured', 2 ** 20, 400e9],
  ['half way in powers of two', 2 ** 18, 600e9],
  ['a quarter of the way', 2 ** 21, 325e9],
  ['below the smallest', 8, 800e9],
  ['nothing', 0, 800e9],
  ['the smallest', 2 ** 16, 800e9],
  ['the largest', 2 ** 24, 100e9],
  ['above the largest', 2 ** 30, 100e9],
])('bandwidth for %s', (_, bytes, expected) => {
  expect(bandwidthFor(device, bytes) / expected).toBeCloseTo(1, 12);
});

test('bandwidth where one size was measured', () => {
  const bandwidth = [{ bytes: 2 ** 16, bytesPerSecond: 7 }];
  expect([1, 2 ** 16, 2 ** 20].map((bytes) => bandwidthFor({ bandwidth }, bytes))).toEqual([7, 7, 7]);
});

test.each([
  ['dispatch', { dispatches: 3, flop: 1e6, bytes: 2 ** 16 }, 15e-6],
  ['compute', { dispatches: 3, flop: 1e9, bytes: 2 ** 16 }, 1e-3],
  ['bandwidth', { dispatches: 3, flop: 1e6, bytes: 2 ** 24 }, 2 ** 24 / 100e9],
])('the longest of the three: %s', (bound, work, seconds) => {
  const floor = floorSeconds(work, device);
  expect(floor.bound).toBe(bound);
  expect(floor.seconds / seconds).toBeCloseTo(1, 12);
});

test('of a table only the rows that are looked up are read, and never more than it has', () => {
  const bytes = (rows: number, width: number, count: number): number => {
    const [table, index] = [
      new Value({ shape: [rows, width], dtype: 'f32' }),
      new Value({ shape: [count], dtype: 'i32' }),
    ];
    return makePlan([table, index], [gather(table, index)]).steps[0].cost.bytes;
  };
  expect(bytes(1000, 8, 3)).toBe(4 * (3 * 8 + 3 + 3 * 8));
  expect(bytes(2, 8, 3)).toBe(4 * (2 * 8 + 3 + 3 * 8));
});
