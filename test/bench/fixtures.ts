// Results made up so that what is made of them can be worked out by hand; and the commands, run as they are used.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { presets, type Results, type Row } from '../../bench/results.ts';
import type { Summary } from '../../bench/statistics.ts';
import { workloads } from '../../bench/workloads.ts';

export const root = join(import.meta.dirname, '../..');

export const around = (median: number, off = 0, samples = 9): Summary => ({
  median,
  low: median - off,
  high: median + off,
  samples,
});

/** A timed row. */
export const row = (
  contestant: string,
  workload: string,
  pace: Summary,
  latency = around(99),
  more: Partial<Row> = {},
): Row => ({
  workload,
  contestant,
  library: contestant.replace(/ \w+$/, ''),
  backend: 'webgpu',
  status: 'ok',
  timing: { first: 321, latency, throughput: pace, script: around(0.5) },
  ...more,
});

export function untimed(contestant: string, workload: string, status: Row['status'], note: string): Row {
  const { library, backend } = row(contestant, workload, around(1));
  return { workload, contestant, library, backend, status, note };
}

/** Results of these rows, with the workloads that they name. @param speed of the adapter, in its multiply-adds */
export const results = (rows: readonly Row[], more: Partial<Results> = {}, speed = 1): Results => ({
  version: 2,
  date: '2026-01-02T03:04:05.000Z',
  adapter: { description: 'WebGPU: made up', software: false },
  environment: { agent: 'Mozilla/5.0 (X11) HeadlessChrome/156.0.0.0 Safari/537.36', platform: 'p', cores: 8 },
  versions: { 'gatewise webgpu': '1.2.3', 'Peer webgpu': '4.5' },
  settings: { ...presets.quick, passes: 1 },
  calibration: {
    device: 'WebGPU: made up',
    method: 'slopes',
    flopPerSecond: 2e9 * speed,
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
  workloads: workloads.filter(({ name }) => rows.some(({ workload }) => workload === name)),
  rows,
  ...more,
});

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

export interface Running {
  readonly pid: number;
  /** Resolves once it has printed this. */
  prints(what: RegExp): Promise<RegExpExecArray>;
  readonly ended: Promise<Ended>;
}

/** Starts a program in a process group of its own, as a terminal does. @param words its arguments, with spaces between them */
export function start(program: string, words: string, cwd = root): Running {
  const child = spawn(program, words.split(' ').filter(Boolean), {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const hear = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += String(chunk);
      for (const one of hear) one();
    });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
  const prints = (what: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = what.exec(output);
        if (found !== null) resolve(found);
      };
      hear.add(look);
      look();
      void ended.then(() => reject(new Error(`ended without ${String(what)}: ${output}`)));
    });
  return { pid: child.pid ?? 0, prints, ended };
}

/** Runs a script of the benchmark to its end. */
export const run = (script: string, words: string): Promise<Ended> =>
  start(process.execPath, `bench/${script} ${words}`).ended;

/** What a command printed. @throws Error with that unless it ended well */
export async function succeed(ended: Promise<Ended>): Promise<string> {
  const { code, output } = await ended;
  if (code !== 0) throw new Error(`ended with ${code}\n${output}`);
  return output;
}
