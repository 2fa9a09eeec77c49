// Several passes as one, the ratios of two commits over them, and what a run is asked for.
import { expect, test } from 'vitest';

import { noCounts } from '../../bench/counters.ts';
import { mergePasses } from '../../bench/passes.ts';
import { compareCommits, pairedRatio } from '../../bench/ratios.ts';
import { presets, type Results, type Row } from '../../bench/results.ts';
import {
  defaultSet,
  parsePasses,
  readSelection,
  settingsFor,
  writeSelection,
} from '../../bench/selection.ts';
import { isTied, summarize, together } from '../../bench/statistics.ts';
import { setNames, workloadsOf } from '../../bench/workloads.ts';
import { around, results, row, untimed } from './fixtures.ts';

const only = (pace: number, off = 0, more: Partial<Row> = {}): Row =>
  row('a', 'matmul', around(pace, off, 3), around(99, 9, 3), more);
const pass = (...rows: readonly Row[]): Results => results(rows);

test('medians, the smallest and the largest sample', () => {
  expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1, high: 4, samples: 4 });
  expect(summarize([100, 9, 20])).toEqual({ median: 20, low: 9, high: 100, samples: 3 });
  expect(() => summarize([])).toThrow('no samples');
  const passes = [
    [4, 5],
    [1, 2, 9],
    [3, 3, 3],
  ].map(summarize);
  expect(together(passes)).toEqual({ median: 3, low: 1, high: 9, samples: 8 });
});

test.each([
  [[1, 2], [3, 4], false],
  [[1, 2], [2, 3], true],
  [[1, 2], [9], true],
])('whether %j and %j are tied: %s', (a, b, tied) => {
  expect([isTied(summarize(a), summarize(b)), isTied(summarize(b), summarize(a))]).toEqual([tied, tied]);
});

test('passes merge to the median of their medians, the largest memory and error, each note once', () => {
  const one = pass(only(1));
  expect(mergePasses([one])).toBe(one);
  const counted = (dispatches: number): Partial<Row> => ({ counts: { ...noCounts(), dispatches } });
  const merged = mergePasses([
    pass(only(10, 1, { heapBytes: 10, gpuBytes: 5, note: 'n', ...counted(1) })),
    pass(only(20, 2, { heapBytes: 30, gpuBytes: 9, note: 'n', error: 3e-7, ...counted(9) })),
    pass(only(13, 1, { heapBytes: 20, error: 1e-7, ...counted(1) })),
  ]);
  expect(merged.settings.passes).toBe(3);
  expect(merged.rows).toHaveLength(1);
  expect(merged.rows[0]).toMatchObject({
    error: 3e-7,
    heapBytes: 20,
    gpuBytes: 9,
    note: 'n; 1 and 9 dispatches, by pass',
    timing: { throughput: { median: 13, low: 9, high: 22, samples: 9 } },
  });
});

test('floors are of the pass in which the adapter was fastest', () => {
  const all = [1, 2, 1.5].map((speed) => results([only(1e3)], {}, speed));
  // A disturbed calibration may do without the adapter's clock.
  all.push({ ...all[0]!, calibration: { ...all[0]!.calibration, method: 'timestamps' } });
  const merged = mergePasses(all);
  expect(merged.calibration).toEqual(all[1]!.calibration);
  expect(merged.rows[0]!.rho).toBeCloseTo((2 * 512 * 256 * 1024) / 4e9, 6);
});

test('what failed in one pass has failed; a pass that ended early leaves the rows of the others', () => {
  const wrong = untimed('a', 'matmul', 'wrong', 'differs');
  const cannot = untimed('b', 'matmul', 'unsupported', 'no loop');
  const { rows } = mergePasses([pass(only(1), cannot), pass(wrong, cannot)]);
  expect(rows.map(({ note }) => note)).toEqual(['in pass 2 of 2: differs', 'no loop']);
  expect(rows.every(({ timing }) => timing === undefined)).toBe(true);
  const early = mergePasses([pass(only(1), row('b', 'matmul', around(2))), pass(only(3))]);
  expect(early.rows.map(({ timing }) => timing?.throughput.median)).toEqual([2, 2]);
});

test('passes on other adapters, or of other versions, are not one', () => {
  const adapter = { ...pass().adapter, description: 'another' };
  for (const other of [{ adapter }, { versions: { a: '2' } }])
    expect(() => mergePasses([pass(only(1)), results([only(1)], other)])).toThrow('must run on the same');
});

test('the ratio of two commits is the geometric mean over the passes, with the interval of Student’s t', () => {
  // Logarithms 0.1, 0.2 and 0.3: mean 0.2, standard error 0.1 / √3, t of 2 degrees of freedom 4.3027.
  const before = [0.1, 0.2, 0.3].map((log) => 5 * Math.exp(log));
  const { ratio, interval } = pairedRatio(before, [5, 5, 5]);
  expect(ratio).toBeCloseTo(Math.exp(0.2), 9);
  const half = (4.30265 * 0.1) / Math.sqrt(3);
  expect(interval?.[0]).toBeCloseTo(Math.exp(0.2 - half), 5);
  expect(interval?.[1]).toBeCloseTo(Math.exp(0.2 + half), 5);
  expect(pairedRatio([6], [3])).toEqual({ ratio: 2 });
  // Passes pair the times: what slows down both leaves the ratio as it is.
  const [low, high] = pairedRatio([1, 20, 300], [2, 40, 600]).interval!;
  expect([low, high].map((bound) => Number(bound.toFixed(6)))).toEqual([0.5, 0.5]);
});

test('rows of both commits in all passes that timed both; slower where the whole interval is below 0.95', () => {
  const both = (old: number, now: number): Results =>
    results(
      ['matmul', 'stream-lstm'].flatMap((workload) => [
        row('gatewise webgpu', workload, around(now), around(7)),
        row('gatewise 1a2b3c4', workload, around(old), around(7)),
      ]),
    );
  // A slope below 0 says nothing.
  const passes = [both(80, 100), both(81, 100), both(79, 100), both(-1, 100)];
  const { ratios, slower, text } = compareCommits(passes, '1a2b3c4');
  expect(ratios.map(({ before }) => before)).toEqual([
    [7, 7, 7, 7],
    [80, 81, 79],
  ]);
  expect(slower).toBe(true);
  expect(text).toMatch(/stream-lstm +7\.00 +7\.00 +1\.000 +1\.000–1\.000 +4\n/);
  expect(text).toMatch(
    /matmul +80\.0 +100 +0\.800 +0\.775–0\.825 +3 +slower\nintervals that lie below 0\.95: matmul$/,
  );
  const same = compareCommits([both(100, 100), both(100, 100)], '1a2b3c4');
  expect([same.slower, same.text.split('\n').at(-1)]).toEqual([false, "no row's interval lies below 0.95"]);
  expect(compareCommits(passes.slice(0, 1), '1a2b3c4').text).toMatch(
    /–[^\n]+1 *\na single pass has no interval/,
  );
});

test('the address that is written is read; an empty one asks for everyone', () => {
  const selection = { set: 'gpu', only: ['long'], peers: ['tfjs', 'gatewise'] } as const;
  expect(readSelection(writeSelection(selection))).toEqual(selection);
  expect(readSelection(new URLSearchParams())).toEqual({ only: [], peers: [] });
  expect([true, false].map((software) => defaultSet({ software }))).toEqual(['quick', 'full']);
});

test('passes are a whole number of at least 1', () => {
  expect([parsePasses('1'), parsePasses('100')]).toEqual([1, 100]);
  for (const text of ['0', '1.5', '-1', 'x', ''])
    expect(() => parsePasses(text)).toThrow(`at least 1, got "${text}"`);
});

test('every set has workloads; a trial takes moments whatever the set', () => {
  for (const set of setNames) expect(workloadsOf(set).length).toBeGreaterThan(0);
  expect(workloadsOf('gpu')).toEqual(expect.arrayContaining([...workloadsOf('full')]));
  const maxSamples = setNames.map((set) => settingsFor(set, workloadsOf(set)).maxSamples);
  expect(maxSamples).toEqual(
    ['quick', 'full', 'full', 'trial'].map((name) => presets[name as 'full'].maxSamples),
  );
  expect(settingsFor('full', workloadsOf('trial'))).toBe(presets.trial);
});
