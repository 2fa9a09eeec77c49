// The benchmark in words: tables of a run, the table of README, names of files.
import { expect, test } from 'vitest';

import { columns, fastest } from '../../bench/columns.ts';
import { noCounts } from '../../bench/counters.ts';
import { printResults, printWorkload } from '../../bench/print.ts';
import { resultsName, type Row } from '../../bench/results.ts';
import { milliseconds, speedTable, times } from '../../bench/speed_table.ts';
import { workloads } from '../../bench/workloads.ts';
import { around, results, row, untimed } from './fixtures.ts';

const lstm = workloads.find(({ name }) => name === 'trial-lstm')!;
const stream = workloads.find(({ name }) => name === 'trial-stream')!;
const counts = { ...noCounts(), dispatches: 65, submits: 2, bindGroups: 3 };
const own = { counts, gpuBytes: 4_560_000, heapBytes: 7890, rho: 0.5 };
const rows: readonly Row[] = [
  row('gatewise webgpu', 'trial-lstm', around(20, 4), around(30, 3), own),
  row('Peer webgpu', 'trial-lstm', around(50, 1), around(40, 1), { note: 'resets first' }),
  untimed('Odd wasm', 'trial-lstm', 'wrong', 'differs'),
  row('gatewise webgpu', 'trial-stream', around(1), around(3)),
  row('Peer webgpu', 'trial-stream', around(8), around(9)),
];
/** The cells of a line, which lie two or more spaces apart. */
const cells = (line: string | undefined): string[] => (line ?? '').trim().split(/ {2,}/);

test('a workload has a line for each timed row, then the ranking and the reasons of the others', () => {
  const [title, head, first, second, ...below] = printWorkload(lstm, rows).split('\n');
  expect(title).toBe('trial-lstm: LSTM 4 → 8, T 5, B 3, forward');
  expect(cells(head)).toEqual(columns.map(({ title }) => title));
  expect(cells(first).join(' | ')).toBe(
    'gatewise webgpu | 321 | 30.0 (27.0–33.0) | 20.0 (16.0–24.0) | 1.0× | 0.50 | 65 | 2 | 3 | 4.56 | 0.500 | 7.89',
  );
  expect(cells(second)[4]).toBe('2.5×');
  expect(below).toEqual([
    '  gatewise webgpu < Peer webgpu',
    '  Peer webgpu: resets first',
    '  Odd wasm: wrong: differs',
  ]);
  // A stream is compared by latency; without gatewise nothing is relative.
  expect(printWorkload(stream, rows)).toMatch(/Peer webgpu.* 3\.0×/);
  expect(printWorkload(lstm, rows.slice(1))).not.toMatch(/\d×/);
});

test.each([
  ['overlap', [around(20, 2), around(21, 2)], 'a ≈ b', 'a in 1 of 1 workloads, b in 1'],
  ['are apart', [around(20, 2), around(50, 2)], 'a < b', 'a in 1 of 1 workloads'],
  ['are of one sample', [around(20, 0, 1), around(50, 0, 1)], 'a ≈ b', 'a in 1 of 1 workloads, b in 1'],
])('where spreads %s', (_, [a, b], ranked, winners) => {
  const pair = [row('b', 'trial-lstm', b!), row('a', 'trial-lstm', a!)];
  expect(printWorkload(lstm, pair)).toContain(`\n  ${ranked}`);
  expect(fastest([lstm, stream], pair)).toBe(winners);
});

test('a run tells the adapter, the versions, the calibration, and who is fastest', () => {
  const environment = { agent: 'Chrome 1', platform: 'p', cores: 8, cpu: 'made up CPU', commit: '1a2b3c4' };
  const text = printResults(results(rows, { environment }));
  for (const line of [
    /^WebGPU: made up, 8 cores of made up CPU, gatewise at 1a2b3c4, Chrome 1\n\ngatewise webgpu 1\.2\.3, Peer webgpu 4\.5\n/,
    /registers +2\.00 GFLOP\/s +150 MFLOP\/s\n/,
    /reading 64 KiB again and again +4\.00 GB\/s +1\.00 GB\/s\n/,
    /reading 8 MiB again and again +3\.00 GB\/s\n/,
    /dispatch +5\.00 µs\n[^]*barrier +600 ns\n[^]*read back +1\.20 ms\n/,
    /\ntrial-lstm:[^]*\ntrial-stream:[^]*\n\nfastest: gatewise webgpu in 2 of 2 workloads$/,
  ])
    expect(text).toMatch(line);
});

test('README: gatewise with ρ, peers by how many times as long they take, reasons below', () => {
  const table = speedTable(
    results([
      row('gatewise webgpu', 'sequence-lstm', around(10), around(12), { rho: 0.0042 }),
      row('Peer webgpu', 'sequence-lstm', around(163)),
      row('gatewise webgpu', 'stream-lstm', around(1), around(2), { rho: 0.25 }),
      row('Peer webgpu', 'stream-lstm', around(1), around(5)),
      row('gatewise webgpu', 'training', around(1234.5), around(1), { rho: 0.75 }),
      untimed('Peer webgpu', 'training', 'unsupported', 'cannot train'),
      row('gatewise webgpu', 'matmul', around(1)),
      untimed('Peer webgpu', 'matmul', 'wrong', 'differs'),
    ]),
  );
  const [about, , head, , ...body] = table.split('\n');
  expect(about).toBe(
    'Chrome 156, WebGPU: made up, 8 cores, 2026-01-02; gatewise webgpu 1.2.3, Peer webgpu 4.5.',
  );
  expect(head).toBe('| milliseconds | gatewise webgpu | Peer webgpu |');
  expect(body).toEqual([
    '| LSTM 256 → 256, T 64, B 16, forward | **10.0** (ρ 0.0042) | 163 (16×) |',
    '| LSTM 256 → 256, one step, B 1, result on the CPU | **2.00** (ρ 0.25) | 5.00 (2.5×) |',
    '| training step: LSTM 64 → 256, linear → 64, Adam, T 64, B 16 | **1,235** (ρ 0.75) | – |',
    '| matrix product 512 × 256 × 1024 | **1.00** (ρ ?) | wrong answer |',
    '',
    '- Peer webgpu: cannot train (training step: LSTM 64 → 256, linear → 64, Adam, T 64, B 16).',
    '- Peer webgpu: differs (matrix product 512 × 256 × 1024).',
  ]);
  const numbers = [0.0123, 1.234, 12.34, 99.96, 12345].map(milliseconds);
  expect(numbers).toEqual(['0.012', '1.23', '12.3', '100.0', '12,345']);
  expect([0.14, 1, 9.99, 16.3, 1234].map(times)).toEqual(['0.14×', '1.0×', '10.0×', '16×', '1,234×']);
});

test('files of a run have a name by what sets it apart from a full run', () => {
  const run = results([]);
  expect(resultsName(run, 'full', [])).toBe('2026-01-02-made-up');
  expect(resultsName(run, 'quick', [])).toBe('2026-01-02-made-up-quick');
  expect(resultsName(run, 'quick', ['long', 'deep'])).toBe('2026-01-02-made-up-long-deep');
  expect(resultsName(run, 'gpu', [...'abcde'])).toBe('2026-01-02-made-up-5-workloads');
  const peers = ['gatewise', 'onnx'];
  expect(resultsName({ ...run, peers }, 'full', [])).toBe('2026-01-02-made-up-gatewise-onnx');
});
