import { expect, test } from 'vitest';

import { presets, type Results, type Row } from '../../bench/results.ts';
import { milliseconds, speedTable, times } from '../../bench/speed_table.ts';
import { workloads } from '../../bench/workloads.ts';

const one = (median: number): { median: number; low: number; high: number; samples: number } => ({
  median,
  low: median,
  high: median,
  samples: 5,
});
const row = (contestant: string, workload: string, latency: number, pace: number): Row => ({
  workload,
  contestant,
  library: contestant.split(' ')[0],
  backend: 'webgpu',
  status: 'ok',
  timing: { first: 1, latency: one(latency), throughput: one(pace), script: one(0.1) },
});

const results: Results = {
  version: 2,
  date: '2026-01-02T03:04:05.000Z',
  adapter: { description: 'WebGPU: made up', software: false, vendor: 'v', architecture: 'a' },
  environment: { agent: 'Mozilla/5.0 (X11) HeadlessChrome/156.0.0.0 Safari/537.36', platform: 'p', cores: 8 },
  versions: { 'gatewise webgpu': '1.2.3', 'Peer webgpu': '4.5' },
  settings: presets.quick,
  calibration: {
    device: 'WebGPU: made up',
    method: 'slopes',
    flopPerSecond: 1,
    oneWorkgroupFlopPerSecond: 1,
    bandwidth: [],
    oneWorkgroupBandwidth: [],
    dispatchSeconds: 1,
    barrierSeconds: 1,
    roundTripSeconds: 1,
  },
  workloads: workloads.filter(({ name }) => ['sequence-lstm', 'stream-lstm', 'training'].includes(name)),
  rows: [
    { ...row('gatewise webgpu', 'sequence-lstm', 12, 10), rho: 0.5 },
    row('Peer webgpu', 'sequence-lstm', 200, 163),
    { ...row('gatewise webgpu', 'stream-lstm', 2, 1), rho: 0.25 },
    row('Peer webgpu', 'stream-lstm', 5, 1),
    { ...row('gatewise webgpu', 'training', 1500, 1234.5), rho: 0.75 },
    {
      workload: 'training',
      contestant: 'Peer webgpu',
      library: 'Peer',
      backend: 'webgpu',
      status: 'unsupported',
      note: 'cannot train',
    },
  ],
};

test('a row for each workload: gatewise with ρ, peers by how many times as long they take', () => {
  const lines = speedTable(results).split('\n');
  expect(lines[0]).toBe(
    'Chrome 156, WebGPU: made up, 8 cores, 2026-01-02; gatewise webgpu 1.2.3, Peer webgpu 4.5.',
  );
  expect(lines[2]).toBe('| milliseconds | gatewise webgpu | Peer webgpu |');
  expect(lines.slice(4)).toEqual([
    '| LSTM 256 → 256, T 64, B 16, forward | **10.0** (ρ 0.50) | 163 (16×) |',
    // Of a stream the latency counts.
    '| LSTM 256 → 256, one step, B 1, result on the CPU | **2.00** (ρ 0.25) | 5.00 (2.5×) |',
    '| training step: LSTM 64 → 256, linear → 64, Adam, T 64, B 16 | **1,235** (ρ 0.75) | – |',
    '',
    '- Peer webgpu: cannot train (training step: LSTM 64 → 256, linear → 64, Adam, T 64, B 16).',
  ]);
});

test('a ρ that is small is not written as none', () => {
  const small = results.rows.map((row) => ('rho' in row ? { ...row, rho: 0.0042 } : row));
  expect(speedTable({ ...results, rows: small })).toContain('**10.0** (ρ 0.0042)');
});

test('a wrong answer is said, not timed', () => {
  const wrong = { ...results.rows[1], status: 'wrong' as const };
  delete wrong.timing;
  const [, own] = [results.rows[1], results.rows[0]];
  const table = speedTable({ ...results, rows: [own, wrong], workloads: results.workloads.slice(0, 1) });
  expect(table).toContain('| wrong answer |');
});

test('numbers for people', () => {
  expect([0.0123, 1.234, 12.34, 99.96, 123.4, 12345].map(milliseconds)).toEqual([
    '0.012',
    '1.23',
    '12.3',
    '100.0',
    '123',
    '12,345',
  ]);
  expect([0.14, 1, 2.34, 9.99, 16.3, 1234].map(times)).toEqual([
    '0.14×',
    '1.0×',
    '2.3×',
    '10.0×',
    '16×',
    '1,234×',
  ]);
});
