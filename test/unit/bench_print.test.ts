// The benchmark as text: every number beside what it is compared with, and what has none says why.
import { expect, test } from 'vitest';

import { columns, fastest, header } from '../../bench/columns.ts';
import { printResults, printWorkload } from '../../bench/print.ts';
import { describeRun, presets, resultsName, type Row } from '../../bench/results.ts';
import type { Summary } from '../../bench/statistics.ts';
import { trialWorkloads, workloadsOf } from '../../bench/workloads.ts';

const around = (median: number): Summary => ({ median, low: 0.9 * median, high: 1.2 * median, samples: 5 });
const [lstm] = trialWorkloads;
const stream = trialWorkloads.find(({ kind }) => kind === 'stream')!;

const timed = (contestant: string, workload: string, latency: number, pace: number, more = {}): Row => ({
  workload,
  contestant,
  library: contestant.split(' ')[0]!,
  backend: 'webgpu',
  status: 'ok',
  timing: { first: 321, latency: around(latency), throughput: around(pace), script: around(0.5) },
  ...more,
});
const counts = {
  dispatches: 65,
  passes: 1,
  submits: 2,
  bindGroups: 3,
  pipelines: 0,
  buffers: 0,
  bufferBytes: 0,
  writes: 0,
  writtenBytes: 0,
  maps: 1,
};
const own = { counts, gpuBytes: 4_560_000, heapBytes: 7890, rho: 0.5, rhoProduct: 0.0123 };
const rows: readonly Row[] = [
  timed('gatewise webgpu', lstm!.name, 30, 20, own),
  timed('Peer webgpu', lstm!.name, 40, 50, { note: 'resets first' }),
  {
    workload: lstm!.name,
    contestant: 'Odd wasm',
    library: 'Odd',
    backend: 'wasm',
    status: 'wrong',
    note: 'differs',
  },
  timed('gatewise webgpu', stream.name, 3, 1),
  timed('Peer webgpu', stream.name, 9, 8),
];

/** The cells of a line, which lie two or more spaces apart. */
const cells = (line: string | undefined): string[] => (line ?? '').trim().split(/ {2,}/);

test('a row has all its numbers, in the order of the columns', () => {
  const [title, head, first, second] = printWorkload(lstm!, rows).split('\n');
  expect(title).toBe('trial-lstm: LSTM 4 → 8, T 5, B 3, forward');
  expect(cells(head)).toEqual(columns.map(header));
  expect(cells(first)).toEqual([
    'gatewise webgpu',
    '321',
    '30.0 (27.0–36.0)',
    '20.0 (18.0–24.0)',
    '1.0×',
    '0.50',
    '0.012',
    '65',
    '2',
    '3',
    '4.56',
    '0.500',
    '7.89',
  ]);
  // Numbers stand under their heads.
  expect(second?.indexOf('2.5×')).toBe(
    (head?.indexOf('relative') ?? NaN) + 'relative'.length - '2.5×'.length,
  );
});

test('a row without times says why, below the table, and a remark on a timed one stands there too', () => {
  const lines = printWorkload(lstm!, rows).split('\n');
  expect(lines.slice(4)).toEqual([
    '  gatewise webgpu < Peer webgpu',
    '  Peer webgpu: resets first',
    '  Odd wasm: wrong: differs',
  ]);
  // A spread that holds two others tells neither apart from it.
  const wide = timed('Wide webgpu', lstm!.name, 40, 21);
  const spread = { median: 21, low: 20, high: 90, samples: 5 };
  const three = [
    rows[0],
    { ...wide, timing: { ...wide.timing!, throughput: spread } },
    timed('Peer webgpu', lstm!.name, 40, 50),
  ];
  expect(printWorkload(lstm!, three)).toContain('\n  gatewise webgpu ≈ Wide webgpu ≈ Peer webgpu');
  expect(fastest([lstm!], three)).toBe('gatewise webgpu in 1 of 1 workloads, Wide webgpu in 1');
  // A single sample has no spread.
  const once = (contestant: string, median: number): Row => {
    const alone = { median, low: median, high: median, samples: 1 };
    const timing = { first: 1, latency: alone, throughput: alone, script: alone };
    return timed(contestant, lstm!.name, median, median, { timing });
  };
  expect(printWorkload(lstm!, [once('gatewise webgpu', 20), once('Peer webgpu', 50)])).toContain(
    '\n  gatewise webgpu ≈ Peer webgpu',
  );
  // Spreads that meet rank nobody.
  const near = [rows[0], timed('Peer webgpu', lstm!.name, 40, 20.5)];
  expect(printWorkload(lstm!, near)).toContain('\n  gatewise webgpu ≈ Peer webgpu');
});

test('streams are compared by latency, everything else by the time per run', () => {
  expect(printWorkload(stream, rows)).toMatch(/Peer webgpu.* 3\.0×/);
  expect(printWorkload(lstm!, rows)).toMatch(/Peer webgpu.* 2\.5×/);
});

test('without gatewise nothing is relative; without any times there is no table', () => {
  expect(printWorkload(lstm!, rows.slice(1))).not.toMatch(/\d×/);
  expect(printWorkload(lstm!, rows.slice(2, 3))).toBe(
    'trial-lstm: LSTM 4 → 8, T 5, B 3, forward\n  Odd wasm: wrong: differs',
  );
});

test('all results tell the adapter, the versions and what the calibration found', () => {
  const text = printResults({
    version: 2,
    date: '2026-01-02T03:04:05.000Z',
    adapter: { description: 'WebGPU: made up', software: false, vendor: '', architecture: '' },
    environment: { agent: 'Chrome 1', platform: 'p', cores: 8, cpu: 'made up CPU', commit: '1a2b3c4' },
    versions: { 'gatewise webgpu': '1.2.3', 'Peer webgpu': '4.5' },
    settings: presets.trial,
    calibration: {
      device: 'made up',
      method: 'slopes',
      flopPerSecond: 2e9,
      oneWorkgroupFlopPerSecond: 1.5e8,
      bandwidth: [
        { bytes: 65536, bytesPerSecond: 4e9 },
        { bytes: 2 ** 23, bytesPerSecond: 3e9 },
      ],
      oneWorkgroupBandwidth: [{ bytes: 65536, bytesPerSecond: 1e9 }],
      dispatchSeconds: 5e-6,
      barrierSeconds: 6e-7,
      roundTripSeconds: 1.2e-3,
    },
    workloads: [lstm!, stream],
    rows,
  });
  expect(text).toMatch(
    /^WebGPU: made up, 8 cores of made up CPU, gatewise at 1a2b3c4, Chrome 1\n\ngatewise webgpu 1\.2\.3, Peer webgpu 4\.5\n/,
  );
  expect(text).toMatch(/registers +2\.00 GFLOP\/s +150 MFLOP\/s/);
  expect(text).toMatch(/reading 64 KiB again and again +4\.00 GB\/s +1\.00 GB\/s/);
  expect(text).toMatch(/reading 8 MiB again and again +3\.00 GB\/s\n/);
  expect(text).toMatch(/dispatch +5\.00 µs\n/);
  expect(text).toMatch(/barrier +600 ns\n/);
  expect(text).toMatch(/read back +1\.20 ms\n/);
  expect(text).toMatch(/\n\nfastest: gatewise webgpu in 2 of 2 workloads$/);
  expect(text.indexOf('trial-lstm:')).toBeLessThan(text.indexOf('trial-stream:'));
});

test('the fastest is counted by what workloads are compared by, of those that have a time', () => {
  const slow = rows.map((row) =>
    row.workload === stream.name ? row : { ...row, contestant: `${row.contestant}2` },
  );
  expect(fastest([lstm!, stream], slow)).toBe('gatewise webgpu2 in 1 of 2 workloads, gatewise webgpu in 1');
  expect(fastest([lstm!], rows.slice(1))).toBe('Peer webgpu in 1 of 1 workloads');
  expect(fastest([lstm!, stream], [rows[2]!])).toBe('');
});

const fullRun = { date: '2026-01-02T03:04:05.000Z', workloads: workloadsOf('full'), settings: presets.full };

test.each([
  ['WebGPU: google swiftshader (software)', '2026-01-02-google-swiftshader-software'],
  ['NVIDIA H100 80GB', '2026-01-02-nvidia-h100-80gb'],
  ['', '2026-01-02'],
])('files of a run on "%s" are called %s', (description, name) => {
  const adapter = { description, software: false, vendor: '', architecture: '' };
  expect(resultsName({ ...fullRun, adapter })).toBe(name);
});

test('a page that a person opened knows neither commit nor CPU', () => {
  expect(describeRun({ description: 'gpu' }, { cores: 8 })).toBe('gpu, 8 cores');
});

test('files of a run of another selection have another name', () => {
  const adapter = { description: 'gpu', software: false, vendor: '', architecture: '' };
  const run = { ...fullRun, adapter };
  const full = workloadsOf('full');
  const names = [
    run,
    { ...run, workloads: workloadsOf('quick') },
    { ...run, workloads: full.slice(0, 2) },
    { ...run, workloads: full.slice(1) },
    { ...run, peers: ['gatewise', 'onnx'] },
    { ...run, settings: { ...presets.full, reversed: true, seed: 7 } },
  ].map(resultsName);
  expect(names).toEqual([
    '2026-01-02-gpu',
    '2026-01-02-gpu-quick',
    '2026-01-02-gpu-sequence-lstm-sequence-gru',
    `2026-01-02-gpu-${full.length - 1}-workloads`,
    '2026-01-02-gpu-gatewise-onnx',
    '2026-01-02-gpu-reversed-seed7',
  ]);
});
