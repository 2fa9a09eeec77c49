// The floor of a step, from the calibration of a fictitious device.
import { expect, test } from 'vitest';

import { calibrate_read } from '../../shaders/gen/calibrate_read.ts';
import { Value } from '../../src/graph/value.ts';
import { gather } from '../../src/ops/gather.ts';
import { bandwidthFor, floorSeconds } from '../../src/plan/calibration.ts';
import { planOf } from '../webgpu_plan.ts';

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
  ['a measured size', 2 ** 20, 400e9],
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

test('bandwidth from one measured size', () => {
  const bandwidth = [{ bytes: 2 ** 16, bytesPerSecond: 7 }];
  expect([1, 2 ** 16, 2 ** 20].map((bytes) => bandwidthFor({ bandwidth }, bytes))).toEqual([7, 7, 7]);
});

test.each([
  ['dispatch', { dispatches: 3, flop: 1e6, bytes: 2 ** 16 }, 15e-6],
  ['compute', { dispatches: 3, flop: 1e9, bytes: 2 ** 16 }, 1e-3],
  ['bandwidth', { dispatches: 3, flop: 1e6, bytes: 2 ** 24 }, 2 ** 24 / 100e9],
])('the floor is the longest of dispatch, compute and bandwidth: %s', (bound, work, seconds) => {
  const floor = floorSeconds(work, device);
  expect(floor.bound).toBe(bound);
  expect(floor.seconds / seconds).toBeCloseTo(1, 12);
});

test('a gather reads the rows that it looks up, at most the whole table', () => {
  const bytes = (rows: number, width: number, count: number): number => {
    const [table, index] = [
      new Value({ shape: [rows, width], dtype: 'f32' }),
      new Value({ shape: [count], dtype: 'i32' }),
    ];
    return planOf([table, index], [gather(table, index)]).steps[0].cost.bytes;
  };
  expect(bytes(1000, 8, 3)).toBe(4 * (3 * 8 + 3 + 3 * 8));
  expect(bytes(2, 8, 3)).toBe(4 * (2 * 8 + 3 + 3 * 8));
});

/** The vec4s that calibrate_read loads, by workgroup and turn of its loop, from the expressions in its code. */
function addressesOf(groups: number, size: number, rounds: number): number[][][] {
  for (const line of [
    'let end = params.rounds * params.size;',
    'var start = group.x * 2048u + local;',
    'for (var k = start; k < end; k += groups.x * 2048u) {',
    '// @unroll I 8',
    'sum += data[(start + I * 256u) & (params.size - 1u)];',
    'start += (groups.x | 1u) * 2048u;',
  ])
    expect(calibrate_read.code).toContain(line);
  const end = rounds * size;
  return Array.from({ length: groups }, (_, group) => {
    const turns: number[][] = [];
    // Those of invocation 0; the other 255 invocations read the neighbours.
    let start = group * 2048;
    for (let k = start; k < end; k += groups * 2048) {
      turns.push(Array.from({ length: 8 }, (_, i) => (start + i * 256) & (size - 1)));
      start += (groups | 1) * 2048;
    }
    return turns;
  });
}

const KIB = 1024 / 16;
test.each([1, 16, 2048].flatMap((groups) => [64, 256, 1024].map((kib) => [groups, kib] as const)))(
  'bandwidth: %i workgroups read all of %i KiB, eight vec4s at a time, and none twice before all others',
  (groups, kib) => {
    const size = kib * KIB;
    // So many rounds that all workgroups have the same number of turns.
    const turns = size / 2048;
    const all = addressesOf(groups, size, groups);
    const counts = new Map<number, number>();
    for (const own of all) {
      expect(own).toHaveLength(turns);
      const seen = own.flat();
      expect(new Set(seen).size).toBe(8 * turns);
      for (const at of seen) counts.set(at, (counts.get(at) ?? 0) + 1);
    }
    expect(counts.size).toBe(size / 256);
    expect(new Set(counts.values())).toEqual(new Set([groups]));
  },
);
