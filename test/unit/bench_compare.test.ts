import { expect, test } from 'vitest';

import { compare, printComparison } from '../../bench/compare.ts';
import { presets, readResults, type Results, type Row } from '../../bench/results.ts';
import type { Summary } from '../../bench/statistics.ts';
import { workloads } from '../../bench/workloads.ts';

const around = (median: number, off: number): Summary => ({
  median,
  low: median - off,
  high: median + off,
  samples: 9,
});
const row = (contestant: string, workload: string, time: number, off: number): Row => ({
  workload,
  contestant,
  library: contestant,
  backend: 'webgpu',
  status: 'ok',
  timing: { first: 1, latency: around(99, 0), throughput: around(time, off), script: around(1, 0) },
});
const results = (...rows: readonly Row[]): Results => ({
  version: 2,
  date: '2026-01-02T03:04:05.000Z',
  adapter: { description: 'made up', software: false, vendor: '', architecture: '' },
  environment: { agent: '', platform: '', cores: 1 },
  versions: {},
  settings: presets.quick,
  calibration: {
    device: '',
    method: 'slopes',
    flopPerSecond: 1,
    oneWorkgroupFlopPerSecond: 1,
    bandwidth: [],
    oneWorkgroupBandwidth: [],
    dispatchSeconds: 1,
    barrierSeconds: 1,
    roundTripSeconds: 1,
  },
  workloads: workloads.filter(({ name }) => name === 'sequence-lstm' || name === 'matmul'),
  rows,
});

test('times of both runs, whether their spreads meet, and the same ranking', () => {
  const before = results(row('a', 'matmul', 10, 1), row('b', 'matmul', 20, 1));
  const after = results(row('b', 'matmul', 30, 2), row('a', 'matmul', 11, 1));
  const comparison = compare(before, after);
  expect(comparison).toEqual({
    changes: [
      { workload: 'matmul', contestant: 'a', times: [10, 11], overlaps: true },
      { workload: 'matmul', contestant: 'b', times: [20, 30], overlaps: false },
    ],
    swaps: [],
    settled: [],
    lost: [],
    differences: [],
  });
  const text = printComparison(comparison);
  expect(text).toMatch(/matmul +b +20\.0 +30\.0 +1\.50 +beyond the spread/);
  expect(text).toContain('the ranking is the same in every workload');
});

test('a pair that turned round is named with how far apart it was', () => {
  const run = (a: number, b: number, off: number): Results =>
    results(row('a', 'matmul', a, off), row('b', 'matmul', b, off), row('c', 'matmul', 50, 1));
  const comparison = compare(run(10, 11, 0.1), run(12, 10, 0.1));
  const swap = { workload: 'matmul', contestants: ['a', 'b'], ratio: 1.2 };
  expect(comparison.swaps).toEqual([{ ...swap, tied: false }]);
  const text = printComparison(comparison).split('\n');
  expect(text.at(-1)).toBe('matmul: a was faster than b and is slower, by at most 20 %');
  // Where one of the runs saw no difference, the other does not contradict it.
  const tied = compare(run(10, 11, 0.5), run(12, 10, 0.1));
  expect(tied.swaps).toEqual([{ ...swap, tied: true }]);
  expect(printComparison(tied).split('\n').slice(-2)).toEqual([
    'matmul: a was faster than b and is slower, by at most 20 %, within the spread',
    'neither ranking contradicts the other',
  ]);
});

test('a pair that only one of the runs could tell apart is named', () => {
  const run = (off: number): Results => results(row('a', 'matmul', 10, off), row('b', 'matmul', 11, off));
  expect(compare(run(0.1), run(1)).settled).toEqual([
    { workload: 'matmul', contestants: ['a', 'b'], apart: 'before' },
  ]);
  const text = printComparison(compare(run(1), run(0.1))).split('\n');
  expect(text.slice(-2)).toEqual([
    'matmul: a and b were on a par and are apart',
    'neither ranking contradicts the other',
  ]);
});

test('files of another version or kind are refused, as their spreads are called otherwise', () => {
  const file =
    (content: unknown): (() => Results) =>
    () =>
      readResults(JSON.stringify(content));
  expect(file({ ...results(), version: 1 })).toThrow('expected results of version 2, got version 1');
  expect(file({ dependencies: {} })).toThrow('got something else');
  expect(file(null)).toThrow('got something else');
  expect(file(results())()).toEqual(results());
});

test('only what was timed in both counts', () => {
  const untimed: Row = { ...row('a', 'matmul', 1, 0), status: 'failed' };
  delete (untimed as { timing?: unknown }).timing;
  const before = results(row('a', 'matmul', 10, 1), row('a', 'sequence-lstm', 5, 1));
  expect(compare(before, results(untimed)).changes).toEqual([]);
  expect(printComparison(compare(before, results(untimed))).split('\n')).toEqual([
    'nothing was timed in both runs',
    '',
    'matmul: a is timed before and failed after',
    'sequence-lstm: a is timed before and missing after',
  ]);
  expect(compare(before, before).changes).toHaveLength(2);
});

test('runs on another adapter or with other settings are said to be', () => {
  const before = results(row('a', 'matmul', 10, 1));
  const after: Results = {
    ...before,
    adapter: { ...before.adapter, description: 'another' },
    settings: { ...before.settings, reversed: true },
  };
  const text = printComparison(compare(before, after));
  expect(text).toMatch(/^adapter: made up before, another after\nreversed: false before, true after\n\n/);
  expect(text).toContain('the ranking is the same in every workload');
});
