// The benchmark in Chrome as it is used: the command with everyone, the page by hand, a run that is stopped.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { AxeResults, RunOptions } from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import type { BenchEvent } from '../../bench/page/events.ts';
import type { Results, Row } from '../../bench/results.ts';
import { browserArguments, ensureBrowser } from '../setup/browser.mjs';
import { run, start, type Running } from './fixtures.ts';

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
let server: Running;
let address: string;
let browser: Browser;
let page: Page | undefined;
let complaints: string[];
/** The page's last event: its results, or why there are none. */
let ended: Promise<BenchEvent>;

const startBench = (words: string): Running =>
  start(process.execPath, `bench/start.mjs --out ${folder} ${words}`);
const files = (): string[] => readdirSync(folder).toSorted();
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: ensureBrowser(), args: browserArguments() });
  server = start(process.execPath, 'bench/start.mjs --open --only trial-matmul --peers gatewise');
  [address] = await server.prints(/http:\S+/);
});
afterAll(async () => {
  await browser?.close();
  process.kill(-server.pid, 'SIGTERM');
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatewise-bench-'));
});
afterEach(async () => {
  await page?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens the page that the command serves. @param script runs in it before anything else */
async function open(script: () => void = () => undefined, query = ''): Promise<Page> {
  const opened = (page = await browser.newPage({ acceptDownloads: true }));
  complaints = [];
  opened.on('pageerror', (error) => complaints.push(error.message));
  opened.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  let end = (_event: BenchEvent): void => undefined;
  ended = new Promise((resolve) => (end = resolve));
  await opened.exposeFunction('gatewiseBench', (event: BenchEvent) => {
    if (event.kind === 'done' || event.kind === 'failed') end(event);
  });
  await opened.addInitScript(script);
  await opened.goto(address + query);
  return opened;
}

test('the command measures everyone in each pass, prints the tables, and writes JSON and picture', async () => {
  const { code, output } = await startBench(`--only ${WORKLOADS.join(' ')} --passes 2`).ended;
  expect(code).toBe(0);
  const orders = [...output.matchAll(/trial-matmul: preparing (.+)\n/g)].map(([, name]) => name);
  expect(orders).toEqual([...CONTESTANTS, ...CONTESTANTS.toReversed()]);

  expect(files()).toEqual([
    expect.stringMatching(/^\d{4}-\d\d-\d\d-[\w-]+\.json$/),
    expect.stringMatching(/\.svg$/),
  ]);
  const [json, svg] = files().map(read);
  const { rows, settings, versions, workloads } = JSON.parse(json!) as Results;
  expect(settings).toMatchObject({ seed: 1, passes: 2 });
  expect(Object.keys(versions)).toEqual(CONTESTANTS);
  expect(rows.map(({ workload, contestant }) => `${workload}, ${contestant}`)).toEqual(
    WORKLOADS.flatMap((workload) => CONTESTANTS.map((contestant) => `${workload}, ${contestant}`)),
  );
  const named = (some: readonly Row[]): string[] =>
    some.map(({ workload, contestant, status, note }) => `${workload}, ${contestant}: ${status}, ${note}`);
  const timed = rows.filter(({ status }) => status === 'ok');
  // Peers may lack something, and say what.
  const others = rows.filter(
    ({ status, library, note }) => status === 'unsupported' && library !== 'gatewise' && note,
  );
  expect(named([...timed, ...others]).toSorted()).toEqual(named(rows).toSorted());
  expect(timed.length).toBeGreaterThan(25);
  expect(
    named(timed.filter(({ error = NaN, timing }) => !(error < 1e-4) || !((timing?.latency.median ?? 0) > 0))),
  ).toEqual([]);
  // Floors and counts are of the adapter that was calibrated, so of nobody who does without it.
  const onDevice = named(timed.filter(({ backend }) => backend === 'webgpu'));
  expect(named(timed.filter(({ counts }) => (counts?.dispatches ?? 0) > 0))).toEqual(onDevice);
  expect(named(timed.filter(({ rho }) => Number.isFinite(rho)))).toEqual(onDevice);
  expect(rows.some(({ heapBytes }) => (heapBytes ?? 0) > 0)).toBe(true);
  for (const { name } of workloads) expect(output).toContain(`\n${name}: `);
  expect(output).toMatch(/first call, ms +latency, ms +per run, ms +relative +ρ +dispatches /);
  expect(output).toMatch(/ONNX Runtime wasm: unsupported: cannot train/);

  const opened = await open();
  const picture = await opened.evaluate((text) => {
    const { documentElement: of } = new DOMParser().parseFromString(text, 'image/svg+xml');
    return [of.tagName, of.ariaLabel, of.textContent];
  }, svg!);
  expect(picture.slice(0, 2)).toEqual(['svg', expect.stringMatching(/^Milliseconds per run on /)]);
  for (const name of [...WORKLOADS, ...CONTESTANTS]) expect(picture[2]).toContain(name);
  expect(svg).not.toContain('var(');
});

test.each([
  ['--only sequence', /--only.*workload: expected one of sequence-lstm, .*trial-lstm.*, got "sequence"/],
  ['--peers gatewise torch', /--peers.*expected one of gatewise, .*, jax, got "torch"/],
  ['--help', /sequence-lstm +full, gpu +LSTM 256 → 256, T 64, B 16, forward\n[^]*tfjs +TensorFlow\.js on/],
])('%s says what there is', async (options, message) => {
  const { code, output } = await run('start.mjs', options);
  expect(output).toMatch(message);
  expect(code).toBe(options === '--help' ? 0 : 1);
});

test.each(['light', 'dark'] as const)(
  'a person runs the page, which is accessible in %s colours and fits a phone',
  async (colorScheme) => {
    const opened = await open();
    await opened.emulateMedia({ colorScheme });
    await opened.setViewportSize({ width: 360, height: 740 });
    expect(await opened.evaluate(() => crossOriginIsolated)).toBe(true);
    await opened.getByLabel('gatewise on the CPU').check();
    await opened.getByRole('button', { name: 'Run' }).click();
    const event = await ended;
    if (event.kind !== 'done') throw new Error(JSON.stringify(event));
    expect(event.results.rows.map(({ contestant, status }) => `${contestant} ${status}`)).toEqual([
      'gatewise webgpu ok',
      'gatewise cpu ok',
    ]);
    const cells = opened.getByRole('row').filter({ hasText: 'gatewise webgpu' }).getByRole('cell');
    expect(await cells.first().textContent()).toMatch(/^[\d.,]+$/);
    await opened.getByText('How this is measured').click();
    await opened.getByText('From an empty model to the first result').waitFor();

    const downloading = opened.waitForEvent('download');
    await opened.getByRole('button', { name: 'JSON' }).click();
    expect(JSON.parse(readFileSync(await (await downloading).path(), 'utf8'))).toEqual(event.results);

    expect(await opened.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await opened.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') });
    const { violations } = await opened.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run: (options: RunOptions) => Promise<AxeResults> } };
      return axe.run({});
    });
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual(
      [],
    );
    expect(complaints).toEqual([]);
  },
);

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
  await opened.getByText(/could not be loaded: it took WebGPU: another, the others WebGPU: /).waitFor();
  const event = await ended;
  expect(event).toMatchObject({ kind: 'done', results: { rows: [{ status: 'failed' }] } });
});

test.each<[string, () => void, string, RegExp]>([
  [
    'without WebGPU',
    () => Object.defineProperty(navigator, 'gpu', { value: undefined }),
    '',
    /no WebGPU adapter/,
  ],
  [
    'with an address that asks for what there is not',
    () => undefined,
    '&set=fast',
    /set: expected one of quick, /,
  ],
])('%s the page says so, and runs nothing', async (_, script, query, message) => {
  const opened = await open(script, query);
  await opened.getByRole('alert').getByText(message).waitFor();
  expect(await opened.getByRole('button', { name: 'Run' }).isDisabled()).toBe(true);
  expect(await ended).toEqual({ kind: 'failed', message: expect.stringMatching(message) });
});

test.each<[string, NodeJS.Signals, sign: 1 | -1, code: number]>([
  // Ctrl-C reaches the whole group.
  ['Ctrl-C', 'SIGINT', -1, 130],
  ['SIGTERM', 'SIGTERM', 1, 143],
])('%s ends the command; the workloads that are done stay', async (_, signal, sign, code) => {
  const { pid, prints, ended } = startBench(`--only ${WORKLOADS.join(' ')} --peers gatewise`);
  await prints(/trial-gru: timing/);
  process.kill(sign * pid, signal);
  expect((await ended).code).toBe(code);
  expect(files()).toEqual([expect.stringMatching(/-unfinished\.json$/)]);
  const { rows } = JSON.parse(read(files()[0]!)) as Results;
  expect(rows.map(({ workload, status }) => `${workload} ${status}`).slice(0, 1)).toEqual(['trial-lstm ok']);
});
