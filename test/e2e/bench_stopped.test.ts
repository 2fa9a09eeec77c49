// What a run of the benchmark leaves that does not come to its end.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import type { Results } from '../../bench/results.ts';

const root = join(import.meta.dirname, '../..');
const WORKLOADS = ['trial-lstm', 'trial-gru', 'trial-training', 'trial-matmul'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatewise-stopped-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Command {
  readonly child: ChildProcess;
  /** Resolves once it has said so. */
  says(what: RegExp): Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

/** The command in a process group of its own, as a terminal's is. */
function start(...options: string[]): Command {
  const args = ['bench/start.mjs', '--only', ...WORKLOADS];
  const child = spawn(process.execPath, [...args, '--out', folder, ...options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const heard = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += String(chunk);
      for (const hear of heard) hear();
    });
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, output })),
  );
  const says = (what: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      heard.add(() => what.test(output) && resolve());
      void ended.then(() => reject(new Error(`ended without ${String(what)}: ${output}`)));
    });
  return { child, says, ended };
}

/** The browser that the command has started. */
function browserOf({ pid }: ChildProcess): number {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const processes = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const args = (of: number): string =>
    execFileSync('ps', ['-o', 'args=', '-p', `${of}`], { encoding: 'utf8' });
  const children = (of: number): number[] =>
    processes.flatMap(([own, parent]) => (parent === of ? [own] : []));
  const found = children(pid ?? 0)
    .flatMap(children)
    .find((own) => args(own).includes('--headless'));
  if (found === undefined) throw new Error('expected a browser, found none');
  return found;
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

function kept(): Results {
  const [file, ...others] = readdirSync(folder);
  expect(file).toMatch(/-unfinished\.json$/);
  expect(others).toEqual([]);
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as Results;
}

test.each<[NodeJS.Signals, code: number, send: (child: ChildProcess) => void]>([
  // As by Ctrl-C, which all of the group get.
  ['SIGINT', 130, ({ pid = 0 }) => process.kill(-pid, 'SIGINT')],
  ['SIGTERM', 143, (child) => child.kill('SIGTERM')],
])(
  '%s ends the command and its browser, and keeps the workloads that are done',
  async (signal, code, send) => {
    const { child, says, ended } = start('--peers', 'gatewise', 'tfjs');
    await says(/trial-gru: preparing/);
    const browser = browserOf(child);
    send(child);
    const end = await ended;
    expect(end.output).toMatch(
      new RegExp(`what there is of one pass, kept in .*-unfinished\\.json\nbench: stopped by ${signal}\n$`),
    );
    expect(end.code).toBe(code);
    expect(isAlive(browser)).toBe(false);
    const done = [...new Set(kept().rows.map(({ workload }) => workload))];
    expect(done.length).toBeGreaterThanOrEqual(1);
    expect(done.length).toBeLessThan(WORKLOADS.length);
    expect(done).toEqual(WORKLOADS.slice(0, done.length));
  },
);

test('a second pass whose browser dies leaves what the first has measured', async () => {
  const { child, says, ended } = start('--peers', 'gatewise', '--passes', '2');
  await says(/pass 2 of 2\n.*calibrating/);
  process.kill(browserOf(child), 'SIGKILL');
  const { code, output } = await ended;
  expect(output).toMatch(
    /what there is of one pass, kept in .*-unfinished\.json\nbench: the (page|browser) .*\n$/,
  );
  expect(code).toBe(1);
  const { settings, rows } = kept();
  expect(settings.passes).toBe(1);
  expect([...new Set(rows.map(({ workload }) => workload))]).toEqual(WORKLOADS);
  // As of a run that has come to its end: what the best product of all gives is in it.
  const own = rows.filter(({ contestant }) => contestant === 'gatewise webgpu');
  expect(own.map(({ status, rhoProduct }) => [status, Number.isFinite(rhoProduct)])).toEqual(
    WORKLOADS.map(() => ['ok', true]),
  );
});
