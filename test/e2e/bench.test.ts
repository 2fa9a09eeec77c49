// The benchmark as it is used: the command in headless Chrome with everyone, the page by hand.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { AxeResults, RunOptions } from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import type { BenchEvent } from '../../bench/page/events.ts';
import type { Results, Row } from '../../bench/results.ts';
import { browserArguments, findBrowser } from '../setup/browser.mjs';

const root = join(import.meta.dirname, '../..');
// One of each kind, and a GRU, of which there are two.
const WORKLOADS = ['trial-lstm', 'trial-gru', 'trial-stream', 'trial-training', 'trial-matmul'];
const CONTESTANTS = [
  'gatewise webgpu',
  'gatewise cpu',
  'TF.js webgpu',
  'TF.js wasm',
  'ONNX Runtime webgpu',
  'ONNX Runtime wasm',
  'jax-js webgpu',
];

let folder: string;
let server: ChildProcess;
let address: string;
let browser: Browser;
let page: Page | undefined;
let complaints: string[];
/** What the page tells last: its results, or why there are none. */
let ended: Promise<BenchEvent>;

const start = (...options: string[]): ChildProcess =>
  spawn(process.execPath, ['bench/start.mjs', ...options], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });

/** Runs the command to its end. */
function run(...options: string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    const child = start(...options);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => (output += String(chunk)));
    child.on('close', (code) => resolve({ code, output }));
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gatewise-bench-'));
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error('bench: expected a browser, found none');
  browser = await chromium.launch({ executablePath, args: browserArguments() });
  server = start('--open', '--only', 'trial-matmul', '--peers', 'gatewise', '--seed', '5');
  address = await new Promise<string>((resolve, reject) => {
    server.stdout?.on('data', (chunk) => {
      const url = /http:\S+/.exec(String(chunk))?.[0];
      if (url !== undefined) resolve(url);
    });
    server.on('exit', (code) => reject(new Error(`npm run bench -- --open ended with ${code}`)));
  });
});

afterAll(async () => {
  await browser?.close();
  server?.kill();
  rmSync(folder, { recursive: true, force: true });
});

afterEach(async () => {
  await page?.close();
  page = undefined;
});

/** Opens the page that the command serves. @param script runs in it before anything else */
async function open(script?: () => void): Promise<Page> {
  const opened = await browser.newPage({ acceptDownloads: true });
  page = opened;
  complaints = [];
  opened.on('pageerror', (error) => complaints.push(error.message));
  opened.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  let end: (event: BenchEvent) => void;
  ended = new Promise((resolve) => {
    end = resolve;
  });
  await opened.exposeFunction('gatewiseBench', (event: BenchEvent) => {
    if (event.kind === 'done' || event.kind === 'failed') end(event);
  });
  if (script !== undefined) await opened.addInitScript(script);
  await opened.goto(address);
  return opened;
}

/** The results of the page that is open, once it has come to its end. */
async function results(): Promise<Results> {
  const event = await ended;
  if (event.kind !== 'done') throw new Error(`the page did not come to its end: ${JSON.stringify(event)}`);
  return event.results;
}

test('the command measures everyone, prints the tables, keeps JSON and picture', async () => {
  const { code, output } = await run('--only', ...WORKLOADS, '--seed', '7', '--out', folder);
  expect(output).toMatch(/trial-gru: timing TF\.js wasm\n/);
  expect(code).toBe(0);

  const files = readdirSync(folder).toSorted();
  expect(files).toEqual([
    expect.stringMatching(/^\d{4}-\d\d-\d\d-[a-z0-9-]+\.json$/),
    expect.stringMatching(/\.svg$/),
  ]);
  const kept = JSON.parse(readFileSync(join(folder, files[0]!), 'utf8')) as Results;
  expect(kept.settings).toMatchObject({ seed: 7, reversed: false });
  expect(kept.workloads.map(({ name }) => name)).toEqual(WORKLOADS);
  expect(Object.keys(kept.versions)).toEqual(CONTESTANTS);
  expect(kept.calibration.flopPerSecond).toBeGreaterThan(0);
  expect(kept.rows.map(({ workload, contestant }) => `${workload}, ${contestant}`)).toEqual(
    WORKLOADS.flatMap((workload) => CONTESTANTS.map((contestant) => `${workload}, ${contestant}`)),
  );
  const named = (rows: readonly Row[]): string[] =>
    rows.map(({ workload, contestant, status, note }) => `${workload}, ${contestant}: ${status}, ${note}`);
  const { rows } = kept;
  const timed = rows.filter(({ status }) => status === 'ok');
  const others = rows.filter(({ status }) => status !== 'ok');
  // Peers may lack something, and say what.
  const allowed = others.filter(
    (row) => row.status === 'unsupported' && row.library !== 'gatewise' && row.note,
  );
  expect(named(others)).toEqual(named(allowed));
  expect(timed.length).toBeGreaterThan(25);
  expect(named(timed.filter(({ error = NaN }) => !(error < 1e-3)))).toEqual([]);
  expect(named(timed.filter(({ timing }) => !((timing?.latency.median ?? 0) > 0)))).toEqual([]);
  // Floors and counts are of the adapter that was calibrated, so of nobody who does without it.
  const onDevice = named(timed.filter(({ backend }) => backend === 'webgpu'));
  expect(named(timed.filter(({ counts }) => (counts?.dispatches ?? 0) > 0))).toEqual(onDevice);
  expect(named(timed.filter(({ rho, rhoProduct }) => [rho, rhoProduct].every(Number.isFinite)))).toEqual(
    onDevice,
  );
  expect(rows.some(({ heapBytes }) => (heapBytes ?? 0) > 0)).toBe(true);

  for (const workload of kept.workloads) expect(output).toContain(`\n${workload.name}: `);
  expect(output).toMatch(/first call, ms +latency, ms +per run, ms +relative +ρ /);
  expect(output).toMatch(/gatewise webgpu .* 1\.0× /);
  expect(output).toMatch(/ONNX Runtime wasm: unsupported: cannot train/);

  const opened = await open();
  const picture = await opened.evaluate(
    (text) => {
      const parsed = new DOMParser().parseFromString(text, 'image/svg+xml');
      return {
        root: parsed.documentElement.tagName,
        title: parsed.querySelector('title')?.textContent,
        description: parsed.querySelector('desc')?.textContent,
        text: parsed.documentElement.textContent,
      };
    },
    readFileSync(join(folder, files[1]!), 'utf8'),
  );
  expect(picture.root).toBe('svg');
  expect(picture.title).toMatch(/^Milliseconds per run on /);
  for (const name of WORKLOADS) expect(picture.description).toContain(`${name}: gatewise webgpu`);
  for (const name of CONTESTANTS) expect(picture.text).toContain(name);
});

test('several passes are one result, each the other way round than the one before', async () => {
  const out = mkdtempSync(join(tmpdir(), 'gatewise-passes-'));
  try {
    const { code, output } = await run(
      '--only',
      'trial-matmul',
      '--peers',
      'gatewise',
      'gatewise-cpu',
      '--passes',
      '2',
      '--out',
      out,
    );
    expect(code).toBe(0);
    const [, first, second] = output.split(/pass \d of 2\n/);
    const order = (part: string): string[] =>
      [...part.matchAll(/trial-matmul: preparing (.+)\n/g)].map(([, name]) => name);
    expect(order(first)).toEqual(['gatewise webgpu', 'gatewise cpu']);
    expect(order(second)).toEqual(['gatewise cpu', 'gatewise webgpu']);
    const file = readdirSync(out).find((name) => name.endsWith('.json')) ?? 'none';
    const { settings, rows } = JSON.parse(readFileSync(join(out, file), 'utf8')) as Results;
    expect(settings).toMatchObject({ passes: 2, reversed: false });
    const [own] = rows;
    expect(rows.map(({ status }) => status)).toEqual(['ok', 'ok']);
    expect(own.timing?.latency.samples).toBeGreaterThanOrEqual(4);
    expect(own.timing?.latency.low).toBeLessThanOrEqual(own.timing?.latency.high ?? NaN);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});

test.each([
  [['--only', 'sequence'], /--only.*workload: expected one of sequence-lstm, .*trial-lstm.*, got "sequence"/],
  [['--peers', 'gatewise', 'torch'], /--peers.*expected one of gatewise, .*, jax, got "torch"/],
  [['--quick', '--set', 'gpu'], /'--set <name>' cannot be used with option '--quick'/],
])('%j is refused, with what there is instead', async (options, message) => {
  const { code, output } = await run(...options);
  expect(output).toMatch(message);
  expect(code).toBe(1);
});

test('--list says what there is', async () => {
  const { code, output } = await run('--list');
  expect(output).toMatch(/sequence-lstm +full, gpu +LSTM 256 → 256, T 64, B 16, forward\n/);
  expect(output).toMatch(/tfjs +TensorFlow\.js on WebGPU and on WebAssembly\n/);
  expect(code).toBe(0);
});

test.each(['light', 'dark'] as const)(
  'a person runs the page, which is accessible in %s colours and fits a phone',
  async (colorScheme) => {
    const opened = await open();
    await opened.emulateMedia({ colorScheme });
    await opened.setViewportSize({ width: 360, height: 740 });
    expect(await opened.evaluate(() => crossOriginIsolated)).toBe(true);
    await opened.getByLabel('gatewise cpu').check();
    await opened.getByText('2 contestants').waitFor();
    await opened.getByRole('button', { name: 'Run' }).click();
    const measured = await results();
    expect(measured.settings.seed).toBe(5);
    expect(measured.rows.map(({ contestant, status }) => `${contestant} ${status}`)).toEqual([
      'gatewise webgpu ok',
      'gatewise cpu ok',
    ]);
    const cells = opened.getByRole('row').filter({ hasText: 'gatewise webgpu' }).getByRole('cell');
    expect(await cells.first().textContent()).toMatch(/^[\d.,]+$/);
    await opened.getByText('How this is measured').click();
    await opened.getByText('From an empty model to the first result').waitFor();

    const downloading = opened.waitForEvent('download');
    await opened.getByRole('button', { name: 'JSON' }).click();
    const download = await downloading;
    expect(JSON.parse(readFileSync(await download.path(), 'utf8'))).toEqual(measured);

    expect(await opened.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await opened.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') });
    const { violations } = await opened.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run: (options: RunOptions) => Promise<AxeResults> } };
      return axe.run({});
    });
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    expect(found).toEqual([]);
    expect(complaints).toEqual([]);
  },
);

test('without a workload there is nothing to run; a set ticks its own', async () => {
  const opened = await open();
  const button = opened.getByRole('button', { name: 'Run' });
  await opened.getByLabel('trial-matmul').uncheck();
  await opened.getByText('Tick at least one workload.').waitFor();
  expect(await button.isDisabled()).toBe(true);
  await opened.getByText('Full', { exact: true }).click();
  await opened.getByText('12 workloads, 1 contestant').waitFor();
  expect(await button.isDisabled()).toBe(false);
});

test('a contestant that takes another adapter is shown as such, not timed', async () => {
  const opened = await open(() => {
    const prototype = Object.getPrototypeOf(navigator.gpu) as GPU;
    const { requestAdapter } = prototype;
    let asked = 0;
    prototype.requestAdapter = async function (options) {
      const adapter = await requestAdapter.call(this, options);
      // The page asks first, and for the calibration; contestants come after.
      if (++asked > 2 && adapter !== null)
        Object.defineProperty(adapter, 'info', { value: { vendor: 'another', architecture: '' } });
      return adapter;
    };
  });
  await opened.getByRole('button', { name: 'Run' }).click();
  const [row] = (await results()).rows as readonly [Row];
  expect(row).toMatchObject({
    status: 'failed',
    note: expect.stringMatching(/it took WebGPU: another, the others WebGPU: /),
  });
  expect(row.timing).toBe(undefined);
  await opened.getByRole('row').filter({ hasText: 'failed: could not be loaded' }).waitFor();
});

test('without WebGPU it says so, and runs nothing', async () => {
  const opened = await open(() => Object.defineProperty(navigator, 'gpu', { value: undefined }));
  await opened.getByRole('alert').getByText('There is no WebGPU here.').waitFor();
  expect(await opened.getByRole('button', { name: 'Run' }).isDisabled()).toBe(true);
  expect(await ended).toEqual({
    kind: 'failed',
    message: expect.stringContaining('no WebGPU adapter'),
  });
});
