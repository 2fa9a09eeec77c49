// The demo page as a visitor meets it: served by `npm start`, opened in headless Chrome.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium, type Browser, type Page, type Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { parseSafetensors } from '../../src/index.ts';
import { browserArguments, findBrowser } from '../setup/browser.mjs';
import { serveDemo, violationsOf } from './demo_pages.ts';

declare global {
  interface Window {
    blocked: number[];
  }
}

const WAIT = { timeout: 60_000 };
// Small enough to take a step in a few milliseconds on a software adapter.
const SMALL = 'hidden=16&embedding=8&batch=4&sequence=16&lr=0.01';

let server: Awaited<ReturnType<typeof serveDemo>>;
let browser: Browser;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error('page: expected a browser, found none');
  browser = await chromium.launch({ executablePath, args: browserArguments() });
  server = await serveDemo();
});

afterAll(async () => {
  await browser?.close();
  server?.stop();
});

afterEach(async () => {
  await page.close();
  if (complaints.length > 0) throw new Error(`the page complains: ${complaints.join('\n')}`);
});

/** Opens the page, `book` answering when it fetches its text; errors of any kind that it prints are kept, and make the test fail. */
async function open(query: string, book?: (route: Route) => Promise<void>): Promise<void> {
  page = await browser.newPage({ acceptDownloads: true });
  complaints = [];
  // The milliseconds of each task that blocks the page for more than 50.
  await page.addInitScript(() => {
    window.blocked = [];
    new PerformanceObserver((list) => {
      window.blocked.push(...list.getEntries().map(({ duration }) => duration));
    }).observe({ type: 'longtask' });
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  if (book !== undefined) await page.route('**/data.txt*', book);
  await page.goto(`${server.address}?${query}`);
  await page.waitForFunction(() => 'gatewise' in window, null, WAIT);
}

const button = (name: string): ReturnType<Page['getByRole']> =>
  page.getByRole('button', { name, exact: true });
const losses = (): Promise<readonly number[]> => page.evaluate(() => window.gatewise.losses);
const stateIs = async (state: string): Promise<void> => {
  await page.waitForFunction((wanted) => window.gatewise.state === wanted, state, WAIT);
};
const stepsReach = async (steps: number): Promise<void> => {
  await page.waitForFunction((count) => window.gatewise.losses.length >= count, steps, WAIT);
};

/** As a file that is dropped on the page. */
async function drop(name: string, content: string): Promise<void> {
  const data = await page.evaluateHandle(
    ([name, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content!], name!, { type: 'text/plain' }));
      return transfer;
    },
    [name, content],
  );
  await page.dispatchEvent('body', 'dragover', { dataTransfer: data });
  await page.dispatchEvent('body', 'drop', { dataTransfer: data });
}

test('trains at once on WebGPU; the same seed gives the same losses, another seed others', async () => {
  const run = async (seed: number): Promise<readonly number[]> => {
    await open(`${SMALL}&seed=${seed}&steps=60`);
    await stateIs('done');
    return losses();
  };
  const first = await run(3);
  expect(await page.locator('#adapter').textContent()).toMatch(/^Runs on WebGPU: /);
  expect(first).toHaveLength(60);
  const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
  expect(first[0]).toBeGreaterThan(4);
  expect(mean(first.slice(-10))).toBeLessThan(first[0]! - 0.8);
  expect(await page.locator('#loss').textContent()).toMatch(/^\d\.\d{3}$/);
  expect(await page.locator('#samples li').count()).toBeGreaterThan(1);
  await page.close();
  expect(await run(3)).toEqual(first);
  await page.close();
  expect(await run(4)).not.toEqual(first);
});

test('pauses, goes on, and resets to the same start', async () => {
  await open(`${SMALL}&seed=5`);
  await stepsReach(10);
  await button('Pause').click();
  await stateIs('paused');
  const before = await losses();
  await page.waitForTimeout(300);
  expect(await losses()).toEqual(before);
  await button('Start').click();
  await stepsReach(before.length + 5);
  await button('Reset').click();
  await page.waitForFunction((many) => window.gatewise.losses.length < many, before.length, WAIT);
  await stepsReach(10);
  expect((await losses()).slice(0, 10)).toEqual(before.slice(0, 10));
});

test('Start takes the settings of the form as long as nothing has been learned', async () => {
  const parameters = async (): Promise<string> =>
    (await page.locator('body').innerText()).match(/[\d,]+ parameters/)?.[0] ?? '';
  await open(`${SMALL}&seed=5`);
  await stepsReach(2);
  await button('Pause').click();
  await stateIs('paused');
  const before = await parameters();
  await button('Reset').click();
  await page.waitForFunction(() => window.gatewise.losses.length === 0, undefined, WAIT);
  await page.getByText('GRU', { exact: true }).click();
  await button('Start').click();
  await stepsReach(2);
  expect(before).not.toBe('');
  expect(await parameters()).not.toBe(before);
});

test('a checkpoint that was saved is loaded, and goes on as if nothing had happened', async () => {
  await open(`${SMALL}&seed=7`);
  await stepsReach(10);
  await button('Pause').click();
  await stateIs('paused');
  const downloading = page.waitForEvent('download');
  await button('Save').click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe('moby-dick-lstm.checkpoint.safetensors');
  const path = await download.path();
  const file = readFileSync(path);
  const saved = await losses();
  const { metadata } = parseSafetensors(new Uint8Array(file));
  expect(metadata['steps']).toBe(String(saved.length));

  await button('Start').click();
  await stepsReach(saved.length + 10);
  await button('Pause').click();
  await stateIs('paused');
  const further = (await losses()).slice(saved.length, saved.length + 10);

  // Into a page with other settings, so that nothing can be left over.
  await page.close();
  await open('cell=gru&hidden=8&batch=2&sequence=8&seed=1');
  await stepsReach(1);
  await button('Pause').click();
  await stateIs('paused');
  await page.locator('#load-file').setInputFiles({
    name: 'a.safetensors',
    mimeType: 'application/octet-stream',
    buffer: file,
  });
  await page.waitForFunction((steps) => window.gatewise.firstStep === steps, saved.length, WAIT);
  const [smoothed] = JSON.parse(metadata['smoothed_loss']!) as [number, number];
  expect(await page.evaluate(() => window.gatewise.smoothedLoss)).toBe(smoothed);
  await expect.poll(() => page.getByLabel('Hidden size').inputValue()).toBe('16');
  await button('Start').click();
  await stepsReach(10);
  expect((await losses()).slice(0, 10)).toEqual(further);
});

test('trains on a text that is dropped on it, and refuses a file that is none', async () => {
  await open(`${SMALL}&seed=1`);
  await stepsReach(2);
  await drop('waves.txt', 'the sea rolls on; '.repeat(60));
  await page.waitForFunction(
    () => document.getElementById('text-name')?.textContent === 'waves.txt',
    null,
    WAIT,
  );
  await stepsReach(2);
  // 12 different characters instead of the book's 83: a smaller loss from the first step on.
  expect((await losses())[0]).toBeLessThan(3);
  await page.getByText(/^\d+\.\d times$/).waitFor(WAIT);
  const before = (await losses()).length;
  await drop('broken.safetensors', 'no checkpoint at all');
  await page.getByRole('alert').getByText('the header claims').waitFor(WAIT);
  await stepsReach(before + 2);
});

test('refuses a text that is too short, says how long it must be, and goes on', async () => {
  await open(`${SMALL}&seed=1`);
  await stepsReach(2);
  await drop('short.txt', 'too short');
  await page
    .getByRole('alert')
    .getByText('more than 16 characters (the sequence length), got 9')
    .waitFor(WAIT);
  const before = (await losses()).length;
  await stepsReach(before + 2);
  await button('Reset').click();
  await page.waitForFunction((many) => window.gatewise.losses.length < many, before, WAIT);
  await stepsReach(2);
  expect(await page.locator('#text-name').textContent()).toBe('Moby Dick');
  expect(await page.getByRole('alert').isVisible()).toBe(false);
});

test('reads a long text without blocking, and shows how far it is', async () => {
  await open(`${SMALL}&seed=1`);
  await stepsReach(2);
  await page.evaluate(() => {
    window.blocked = [];
    const status = document.querySelector('[role=status]');
    const note = (): void => {
      document.body.dataset['said'] = `${document.body.dataset['said'] ?? ''}${status?.textContent}\n`;
    };
    if (status !== null) new MutationObserver(note).observe(status, { childList: true });
  });
  const folder = mkdtempSync(join(tmpdir(), 'gatewise-page-'));
  const path = join(folder, 'long.txt');
  writeFileSync(path, Buffer.alloc(20e6, 'The sea rolls on as it rolled five thousand years ago; '));
  await page.locator('#open-file').setInputFiles(path);
  await page.getByText('long.txt', { exact: true }).waitFor(WAIT);
  rmSync(folder, { recursive: true });
  await stepsReach(2);
  expect(await page.locator('body').getAttribute('data-said')).toMatch(/Reading long\.txt: [1-9]\d %/);
  // Reading takes seconds. On a machine with nothing else to do no task takes 50 ms; this one may be busy.
  expect(Math.max(0, ...(await page.evaluate(() => window.blocked)))).toBeLessThan(500);
});

test('answers while it trains on the CPU', async () => {
  await open('backend=cpu');
  await stepsReach(2);
  const share = await page.evaluate(async () => {
    window.blocked = [];
    const start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 5000));
    return window.blocked.reduce((sum, time) => sum + time, 0) / (performance.now() - start);
  });
  expect(share).toBeLessThan(0.1);
});

test('Start goes on behind the steps that the address asks for', async () => {
  await open(`${SMALL}&seed=1&steps=10`);
  await stateIs('done');
  await page.getByRole('status').getByText('Done at step 10').waitFor(WAIT);
  await button('Start').click();
  await stepsReach(20);
  await stateIs('running');
});

test('Enter in a field applies it: a learning rate at once, all else with a new model', async () => {
  await open(`${SMALL}&seed=1`);
  await stepsReach(2);
  await page.getByLabel('Learning rate').fill('0.02');
  await page.getByLabel('Learning rate').press('Enter');
  const before = (await losses()).length;
  await stepsReach(before + 5);
  await page.getByLabel('Hidden size').fill('24');
  await page.getByLabel('Hidden size').press('Enter');
  await page.waitForURL(/hidden=24.*lr=0\.02/, WAIT);
  await stepsReach(2);
});

test('works on the CPU, and says why', async () => {
  await open(`${SMALL}&seed=3&steps=20&backend=cpu`);
  await stateIs('done');
  expect(await page.locator('#adapter').textContent()).toMatch(/CPU.*because this address asks for it/);
  const curve = await losses();
  expect(curve).toHaveLength(20);
  expect(curve.at(-1)).toBeLessThan(curve[0]!);
});

test('takes no file before it is ready, and says so', async () => {
  let answer = (): void => undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  await open(`${SMALL}&seed=1`, async (route) => {
    await answered;
    await route.continue();
  });
  await drop('waves.txt', 'the sea rolls on; '.repeat(60));
  await page.getByRole('alert').getByText('waves.txt was not read').waitFor(WAIT);
  answer();
  await stepsReach(2);
  expect(await page.locator('#text-name').textContent()).toBe('Moby Dick');
  expect(await page.getByRole('alert').isVisible()).toBe(false);
});

test('Reset opens the page once more where its book could not be fetched', async () => {
  let tries = 0;
  await open(`${SMALL}&seed=1`, (route) =>
    tries++ === 0 ? route.fulfill({ status: 500 }) : route.continue(),
  );
  await page.getByRole('alert').getByText('could not be fetched: 500').waitFor(WAIT);
  await drop('a.safetensors', '');
  await page.getByRole('alert').getByText('Try again after Reset').waitFor(WAIT);
  await button('Reset').click();
  await stepsReach(2);
  expect(await page.getByRole('alert').isVisible()).toBe(false);
});

test('a learning rate that is set while a model is being made is that of the model', async () => {
  await open(`${SMALL}&seed=1`);
  await stepsReach(2);
  await page.evaluate(() => {
    document.getElementById('reset')?.click();
    const field = document.querySelector<HTMLInputElement>('[name=lr]')!;
    field.value = '0.02';
    field.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await page.waitForURL(/lr=0\.02/, WAIT);
  expect(await page.getByLabel('Learning rate').inputValue()).toBe('0.02');
  const downloading = page.waitForEvent('download');
  await button('Save').click();
  const path = await (await downloading).path();
  expect(parseSafetensors(new Uint8Array(readFileSync(path))).metadata['lr']).toBe('0.02');
});

test('an error in the worker ends its session, and Reset makes another', async () => {
  await open(`${SMALL}&seed=1`);
  await stepsReach(2);
  await page.workers()[0]!.evaluate(() => {
    setTimeout(() => {
      throw new Error('a fault of the worker');
    });
  });
  await stateIs('failed');
  await page.getByRole('alert').getByText('a fault of the worker').waitFor(WAIT);
  const before = (await losses()).length;
  await page.waitForTimeout(300);
  expect(await losses()).toHaveLength(before);
  complaints = complaints.filter((complaint) => !complaint.includes('a fault of the worker'));
  await page.getByLabel('Hidden size').fill('24');
  await button('Reset').click();
  await page.waitForURL(/hidden=24/, WAIT);
  await stepsReach(2);
});

test('says in plain words what is wrong', async () => {
  await open(`hidden=many&steps=1`);
  await page.getByRole('alert').getByText('expected a whole number from 1 to 2048, got "many"').waitFor(WAIT);
  await stateIs('done');
  await page.getByLabel('Sequence length').fill('1024');
  await button('Text file …').waitFor();
  await drop('short.txt', 'too short for that');
  await page.getByRole('alert').getByText('expected more than 1024 characters').waitFor(WAIT);
  expect(await page.locator('#text-name').textContent()).toBe('Moby Dick');
});

test.each(['light', 'dark'] as const)(
  'is accessible and fits a narrow phone in %s colours',
  async (colorScheme) => {
    await open(`${SMALL}&steps=20`);
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 360, height: 740 });
    await stateIs('done');
    await page.getByText('How a step runs').click();
    expect(await page.locator('#plan').textContent()).toMatch(/dispatches/);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    expect(await violationsOf(page)).toEqual([]);
  },
);
