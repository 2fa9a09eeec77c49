// Several passes as one: whose spread is that of the passes too, and whose faults stay faults.
import { expect, test } from 'vitest';

import { noCounts } from '../../bench/counters.ts';
import { isReversed, mergePasses } from '../../bench/passes.ts';
import { presets, type Results, type Row } from '../../bench/results.ts';
import type { Summary } from '../../bench/statistics.ts';
import { workloads } from '../../bench/workloads.ts';

const summary = (low: number, median: number, high: number): Summary => ({ median, low, high, samples: 3 });
const row = (contestant: string, throughput: Summary, more: Partial<Row> = {}): Row => ({
  workload: 'matmul',
  contestant,
  library: contestant,
  backend: 'webgpu',
  status: 'ok',
  error: 1e-7,
  timing: { first: 5, latency: summary(90, 99, 100), throughput, script: summary(1, 1, 1) },
  ...more,
});
const pass = (rows: readonly Row[], speed = 1): Results => ({
  version: 2,
  date: '2026-01-02T03:04:05.000Z',
  adapter: { description: 'made up', software: false, vendor: '', architecture: '' },
  environment: { agent: '', platform: '', cores: 1 },
  versions: {},
  settings: { ...presets.quick, passes: 1 },
  calibration: {
    device: 'made up',
    method: 'slopes',
    flopPerSecond: 1e9 * speed,
    oneWorkgroupFlopPerSecond: 2e8,
    bandwidth: [
      { bytes: 100, bytesPerSecond: 1e9 },
      { bytes: 400, bytesPerSecond: 5e8 * speed },
    ],
    oneWorkgroupBandwidth: [{ bytes: 100, bytesPerSecond: 1e9 / speed }],
    dispatchSeconds: 1e-5 / speed,
    barrierSeconds: 1e-6 * speed,
    roundTripSeconds: 1e-3,
  },
  workloads: workloads.filter(({ name }) => name === 'matmul'),
  rows,
});

test('every pass goes the other way round than the one before', () => {
  expect([0, 1, 2].map((i) => isReversed(false, i))).toEqual([false, true, false]);
  expect([0, 1, 2].map((i) => isReversed(true, i))).toEqual([true, false, true]);
});

test('a single pass is left as it is', () => {
  const one = pass([row('a', summary(9, 10, 11))]);
  expect(mergePasses([one])).toBe(one);
});

test('the median is that of the passes, the spread reaches over all of them', () => {
  const merged = mergePasses([
    pass([row('a', summary(9, 10, 11), { heapBytes: 10 })]),
    pass([row('a', summary(19, 20, 22), { error: 3e-7, heapBytes: 30 })]),
    pass([row('a', summary(12, 13, 14), { heapBytes: 20 })]),
  ]);
  expect(merged.settings.passes).toBe(3);
  const [only] = merged.rows;
  expect(merged.rows).toHaveLength(1);
  expect(only).toMatchObject({ status: 'ok', error: 3e-7, heapBytes: 20 });
  expect(only.timing?.throughput).toEqual({ median: 13, low: 9, high: 22, samples: 9 });
  expect(only.timing?.latency).toEqual({ median: 99, low: 90, high: 100, samples: 9 });
});

test('floors are of the best that the adapter did in any pass', () => {
  const rows = [row('a', summary(9, 10, 11))];
  const merged = mergePasses([pass(rows, 1), pass(rows, 2)]);
  expect(merged.calibration).toEqual({
    ...pass([], 1).calibration,
    flopPerSecond: 2e9,
    bandwidth: [
      { bytes: 100, bytesPerSecond: 1e9 },
      { bytes: 400, bytesPerSecond: 1e9 },
    ],
    oneWorkgroupBandwidth: [{ bytes: 100, bytesPerSecond: 1e9 }],
    dispatchSeconds: 5e-6,
    barrierSeconds: 1e-6,
  });
  const floor = (2 * 512 * 256 * 1024) / 2e9;
  expect(merged.rows[0].floor?.time).toBeCloseTo(floor * 1e3, 6);
  expect(merged.rows[0].rho).toBeCloseTo((floor * 1e3) / 10, 6);
});

test('what went wrong in one pass went wrong, and what nobody can do is said once', () => {
  const untimed = (contestant: string, status: Row['status'], note: string): Row => {
    const { timing, ...rest } = row(contestant, summary(1, 1, 1));
    expect(timing).toBeDefined();
    return { ...rest, status, note };
  };
  const first = untimed('a', 'wrong', 'differs by 1');
  const second = untimed('b', 'unsupported', 'no time loop');
  const merged = mergePasses([pass([row('a', summary(9, 10, 11)), second]), pass([first, second])]);
  expect(merged.rows.map(({ status, note, timing }) => [status, note, timing])).toEqual([
    ['wrong', 'in pass 2 of 2: differs by 1', undefined],
    ['unsupported', 'no time loop', undefined],
  ]);
});

test('what passes say is said once, memory is the most of any, and other counts are told', () => {
  const of = (dispatches: number, gpuBytes: number, note?: string): Results =>
    pass([
      row('a', summary(9, 10, 11), {
        counts: { ...noCounts(), dispatches },
        gpuBytes,
        ...(note === undefined ? {} : { note }),
      }),
    ]);
  const [merged] = mergePasses([of(1, 5), of(1, 9, 'resets first'), of(1, 7, 'resets first')]).rows;
  expect(merged).toMatchObject({ gpuBytes: 9, note: 'resets first' });
  expect(mergePasses([of(1, 5), of(9, 5)]).rows[0].note).toBe('1 and 9 dispatches, by pass');
});

test('passes on different things are not one', () => {
  const one = pass([]);
  const elsewhere: Results = { ...one, adapter: { ...one.adapter, description: 'another' } };
  expect(() => mergePasses([one, elsewhere])).toThrow('passes must run on the same: another');
  expect(() => mergePasses([one, { ...one, versions: { a: '2' } }])).toThrow('must run on the same');
});

test('a pass that came to its end early leaves the rows of the others', () => {
  const both = pass([row('a', summary(9, 10, 11)), row('b', summary(9, 10, 11))]);
  const merged = mergePasses([both, pass([row('a', summary(12, 12, 12))])]);
  expect(merged.rows.map(({ contestant, timing }) => [contestant, timing?.throughput.samples])).toEqual([
    ['a', 6],
    ['b', 3],
  ]);
});
