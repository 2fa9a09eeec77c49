// `npm run train` as it is used: stopped by Ctrl-C and started again, it learns what it would have without. And `npm run write`.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { parseSafetensors } from '../../src/index.ts';

const root = join(import.meta.dirname, '../..');
const launcher = join(root, 'demo/train.mjs');
const STEPS = 60;
const small = ['--hidden', '16', '--embedding', '8', '--batch', '4', '--sequence', '16', '--seed', '3'];
const short = ['--steps', String(STEPS), '--every', '5', '--sample', '8'];

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatewise-train-'));
  const line = 'The sea rolls on as it rolled five thousand years ago; ';
  writeFileSync(join(folder, 'sea.txt'), line.repeat(40));
  writeFileSync(join(folder, 'other.txt'), line.repeat(41));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the trainer; once it has printed `at`, something happens to it. */
function train(
  options: readonly string[],
  at?: string,
  happens: (child: ChildProcess) => void = interrupt,
): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, TMPDIR: folder };
    const child = spawn(process.execPath, [launcher, ...options], { cwd: folder, detached: true, env });
    let output = '';
    const take = (chunk: unknown): void => {
      const before = output;
      output += String(chunk);
      if (at !== undefined && !before.includes(at) && output.includes(at)) happens(child);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** What Ctrl-C does: SIGINT to all of its processes. */
function interrupt({ pid }: ChildProcess): void {
  process.kill(-(pid ?? NaN), 'SIGINT');
}

/** Runs a command on the CPU. @returns its output, or its errors where it fails. */
function run(script: string, ...options: string[]): string {
  try {
    return execFileSync(process.execPath, [join(root, 'demo', script), '--backend', 'cpu', ...options], {
      cwd: folder,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
}

const read = (name: string): ReturnType<typeof parseSafetensors> =>
  parseSafetensors(new Uint8Array(readFileSync(join(folder, name))));

test('Ctrl-C saves, the same command goes on, and the result is that of an uninterrupted run', async () => {
  const files = ['--file', 'sea.txt', '--cell', 'gru'];
  const whole = await train([...files, ...small, ...short, '--checkpoint', 'whole.safetensors']);
  expect(whole.output).toMatch(/Adapter +WebGPU: .*\n/);
  expect(whole.output).toMatch(/GRU, 1 × 16.*parameters/);
  expect(whole.output).toMatch(new RegExp(`step ${STEPS}/${STEPS} .* chars/s  0:00 left\n`));
  expect(whole.output).toMatch(new RegExp(`Done at step ${STEPS},`));
  expect(whole.code).toBe(0);

  const stopped = await train([...files, ...small, ...short], '· step 5');
  expect(stopped.code).toBe(0);
  const at = Number(
    /Stopped at step (\d+), saved in sea-gru.checkpoint.safetensors/.exec(stopped.output)?.[1],
  );
  expect(at).toBeGreaterThanOrEqual(5);
  expect(at).toBeLessThan(STEPS);
  expect(read('sea-gru.checkpoint.safetensors').metadata['steps']).toBe(String(at));
  cpSync(join(folder, 'sea-gru.checkpoint.safetensors'), join(folder, 'stopped.safetensors'));

  // The settings come from the checkpoint.
  const resumed = await train([...files, ...short]);
  expect(resumed.output).toMatch(new RegExp(`going on from step ${at}\n`));
  const one = read('whole.safetensors');
  const two = read('sea-gru.checkpoint.safetensors');
  // The smoothed loss holds every loss of the run, to the last bit.
  expect(two.metadata).toEqual(one.metadata);
  expect(two.tensors).toEqual(one.tensors);
  expect(read('stopped.safetensors').tensors).not.toEqual(one.tensors);
});

test('refuses a checkpoint that does not fit, says why, and starts over when told to', () => {
  const train = (...options: string[]): string =>
    run('train.mjs', '--checkpoint', 'c.safetensors', ...options);
  const first = train('--file', 'sea.txt', ...small, '--steps', '2', '--sample', '0');
  expect(first).toMatch(/Adapter +CPU/);
  expect(first).toMatch(/Done at step 2,/);
  expect(train('--file', 'sea.txt', '--hidden', '32')).toMatch(/has hidden 16, not 32.*--fresh/);
  expect(train('--file', 'other.txt')).toMatch(/it learned "sea.txt".*but the text here is "other.txt"/);
  expect(train('--file', 'nowhere.txt')).toMatch(/there is no nowhere.txt/);
  expect(read('c.safetensors').metadata).toMatchObject({ steps: '2', hidden: '16' });
  expect(train('--file', 'other.txt', '--fresh', '--hidden', '8', '--steps', '1', '--sample', '0')).toMatch(
    /Done at step 1,/,
  );
  expect(read('c.safetensors').metadata).toMatchObject({ steps: '1', hidden: '8' });
  expect(existsSync(join(folder, 'c.safetensors.part'))).toBe(false);
});

test('says in one line which file it cannot read or write, before it trains', () => {
  mkdirSync(join(folder, 'books'));
  const train = (...options: string[]): string => run('train.mjs', ...options);
  expect(train('--file', 'books')).toBe(
    'gatewise: --file: expected a file that can be read, but books is a directory\n',
  );
  expect(train('--file', 'sea.txt', '--checkpoint', 'no/such/x')).toBe(
    'gatewise: --checkpoint: expected a file that can be written, but there is no folder no/such\n',
  );
  expect(train('--file', 'sea.txt', '--fresh', '--checkpoint', 'books')).toBe(
    'gatewise: --checkpoint: expected a file that can be written, but books is a directory\n',
  );
});

test('saves elsewhere, and trains on, where a checkpoint can no longer be written', async () => {
  const place = join(folder, 'place');
  mkdirSync(place);
  const options = ['--backend', 'cpu', '--file', 'sea.txt', '--checkpoint', 'place/c.safetensors'];
  const { code, output } = await train([...options, ...small, ...short], '· step 5', () =>
    rmSync(place, { recursive: true }),
  );
  expect(output).toMatch(
    /step \d+: the checkpoint could not be written, as there is no folder place; saved in/,
  );
  expect(output).not.toMatch(/^ +at /m);
  const saved = new RegExp(`Done at step ${STEPS}, .* saved in (.*)\\.\n`).exec(output)?.[1] ?? '';
  expect(parseSafetensors(new Uint8Array(readFileSync(saved))).metadata['steps']).toBe(String(STEPS));
  expect(code).toBe(1);
});

test('npm run write writes with a checkpoint alone, the same text for the same seed', () => {
  run(
    'train.mjs',
    '--file',
    'sea.txt',
    ...small,
    '--steps',
    '2',
    '--sample',
    '0',
    '--checkpoint',
    'w.safetensors',
  );
  const write = (...options: string[]): string =>
    run('write.mjs', '--checkpoint', 'w.safetensors', '--length', '30', ...options);
  const text = write();
  expect(text).toHaveLength(31);
  expect(write()).toBe(text);
  expect(write('--seed', '2')).not.toBe(text);
  expect(write('--prompt', 'The sea', '--temperature', '0')).toMatch(/^The sea[^]{30}\n$/);
  expect(write('--prompt', 'Xylem')).toMatch(/^gatewise: .*"X" is not one of the 19 that the model knows\n$/);
  expect(write('--checkpoint', 'sea.txt')).toMatch(/^gatewise: safetensors: .*\n$/);
});
