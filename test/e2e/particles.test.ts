// The page of particles in headless Chrome: what each of its frames costs, and that the particles come to their target.
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { browserArguments, findBrowser } from '../setup/browser.mjs';
import { serveDemo, violationsOf } from './demo_pages.ts';

declare global {
  interface Window {
    /** How often each method of WebGPU that makes, submits or reads something was called. */
    calls: Record<string, number>;
  }
}

const WAIT = { timeout: 120_000 };
// Headless Chrome shows no canvas of WebGPU unless it composes pages on Vulkan too; that in software runs everywhere.
const COMPOSE_IN_SOFTWARE = [
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--use-angle=swiftshader',
];

let server: Awaited<ReturnType<typeof serveDemo>>;
let browser: Browser;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  server = await serveDemo();
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error('particles: expected a browser, found none');
  browser = await chromium.launch({ executablePath, args: [...browserArguments(), ...COMPOSE_IN_SOFTWARE] });
});

afterAll(async () => {
  await browser?.close();
  server?.stop();
});

afterEach(async () => {
  await page.close();
  if (complaints.length > 0) throw new Error(`the page complains: ${complaints.join('\n')}`);
});

/** Opens the page; errors of any kind that it prints make the test fail. @param script Runs before the page's own. */
async function open(script: () => void = countCalls): Promise<void> {
  page = await browser.newPage();
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  await page.addInitScript(script);
  await page.goto(`${server.address}particles.html`);
}

function countCalls(): void {
  window.calls = {};
  const count = (prototype: object, name: string): void => {
    const { value } = Object.getOwnPropertyDescriptor(prototype, name)!;
    Object.defineProperty(prototype, name, {
      value(this: unknown, ...args: unknown[]): unknown {
        window.calls[name] = (window.calls[name] ?? 0) + 1;
        return (value as (...all: unknown[]) => unknown).apply(this, args);
      },
    });
  };
  for (const name of Object.getOwnPropertyNames(GPUDevice.prototype))
    if (name.startsWith('create')) count(GPUDevice.prototype, name);
  count(GPUQueue.prototype, 'submit');
  count(GPUBuffer.prototype, 'mapAsync');
}

async function framesReach(frames: number): Promise<void> {
  await page.waitForFunction((wanted) => (window.particles?.frames ?? 0) >= wanted, frames, WAIT);
}
const frames = (): Promise<number> => page.evaluate(() => window.particles!.frames);
const choose = (count: number): Promise<string[]> => page.locator('#count').selectOption(String(count));
const button = (name: string): ReturnType<Page['getByRole']> =>
  page.getByRole('button', { name, exact: true });

/** The mean distance of all particles to the target, in half heights of the picture. */
const meanDistance = (): Promise<number> =>
  page.evaluate(async () => {
    const { device, flock, target } = window.particles!;
    const { count, particles } = flock.swarm;
    const { x, y } = target.position;
    const copy = device.createBuffer({
      size: particles.size,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(particles, copy);
    device.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);
    const numbers = new Float32Array(copy.getMappedRange());
    const stride = numbers.length / count;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += Math.hypot(numbers[stride * i]! - x, numbers[stride * i + 1]! - y);
    copy.destroy();
    return sum / count;
  });

test('a frame of 10,000 particles is one encoder and one submit; it makes nothing and reads nothing', async () => {
  await open();
  await framesReach(3);
  const before = await page.evaluate(() => {
    window.calls = {};
    return window.particles!.frames;
  });
  expect(await page.evaluate(() => window.particles!.flock.swarm.count)).toBe(10_000);
  await framesReach(before + 8);
  const [after, calls] = await page.evaluate(() => [window.particles!.frames, window.calls] as const);
  expect(calls).toEqual({ createCommandEncoder: after - before, submit: after - before });
});

test('the particles come to the target, and lose it without a memory', async () => {
  await open();
  await choose(1000);
  const box = (await page.locator('#canvas').boundingBox())!;
  /** Leads the target to a place from left, 0, to right, 1, and measures after some frames. */
  const lead = async (place: number, many: number): Promise<number> => {
    await page.mouse.move(box.x + place * box.width, box.y + 0.5 * box.height);
    await framesReach((await frames()) + many);
    return meanDistance();
  };
  const apart = await meanDistance();
  const near = await lead(0.3, 240);
  expect(near).toBeLessThan(0.6 * apart);
  const led = await lead(0.7, 90);
  await page.getByLabel('Memory').uncheck();
  const lost = await lead(0.3, 90);
  await page.getByLabel('Memory').check();
  const found = await lead(0.3, 240);
  expect(lost).toBeGreaterThan(1.5 * led);
  expect(found).toBeLessThan(1.2 * near);
});

test('the picture shows them, and the target goes where the pointer is', async () => {
  await open();
  await choose(1000);
  const box = (await page.locator('#canvas').boundingBox())!;
  await page.mouse.move(box.x + 0.8 * box.width, box.y + 0.25 * box.height);
  await framesReach((await frames()) + 180);
  const { x, y } = await page.evaluate(() => window.particles!.target.position);
  expect(x).toBeCloseTo((0.6 * box.width) / box.height, 1);
  expect(y).toBeCloseTo(0.5, 1);
  const shot = (await page.locator('#canvas').screenshot()).toString('base64');
  const { left, right, all } = await page.evaluate(async (data) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d')!;
    context.drawImage(image, 0, 0);
    const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
    // A point at the left edge, where no particle is.
    const paper = pixels[Math.floor(image.height / 2) * image.width + 20];
    const marks = { left: 0, right: 0, all: pixels.length };
    for (const [i, pixel] of pixels.entries())
      if (pixel !== paper) marks[i % image.width < image.width / 2 ? 'left' : 'right']++;
    return marks;
  }, shot);
  // They are with the target, in the right half.
  expect(right).toBeGreaterThan(0.01 * all);
  expect(right).toBeLessThan(0.5 * all);
  expect(right).toBeGreaterThan(2 * left);
});

test('pauses, goes on, and shows other numbers of particles', async () => {
  await open();
  await choose(1000);
  await framesReach((await frames()) + 5);
  await button('Pause').click();
  const before = await frames();
  await page.waitForTimeout(300);
  expect(await frames()).toBe(before);
  expect(await page.locator('#rate').textContent()).toBe('–');
  await choose(50_000);
  expect(await page.evaluate(() => window.particles!.flock.swarm.count)).toBe(50_000);
  expect(await frames()).toBe(before);
  await button('Start').click();
  await framesReach(before + 3);
  await choose(1000);
  await page.waitForFunction(
    () => /^\d+(\.\d)?$/.test(document.getElementById('rate')!.textContent),
    null,
    WAIT,
  );
});

test('stands still at first for whoever wants less motion', async () => {
  await open(() => {
    const original = window.matchMedia.bind(window);
    window.matchMedia = (query) => original(query.includes('reduced-motion') ? 'all' : query);
  });
  await button('Start').waitFor(WAIT);
  expect(await frames()).toBe(0);
});

test.each([
  ['no WebGPU', () => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined })],
  ['no graphics adapter', () => Object.assign(GPU.prototype, { requestAdapter: async () => null })],
])('says what is missing where there is %s', async (what, script) => {
  await open(script as () => void);
  await page.getByRole('alert').getByText(what).waitFor(WAIT);
  expect(await page.getByRole('alert').textContent()).toContain('a browser with WebGPU');
  expect(await button('Pause').isDisabled()).toBe(true);
});

test.each(['light', 'dark'] as const)(
  'is accessible and fits a narrow phone in %s colours',
  async (colorScheme) => {
    await open();
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 360, height: 740 });
    await choose(1000);
    await framesReach((await frames()) + 3);
    await page.getByText('What the net adds to a frame').click();
    expect(await page.locator('#plan').textContent()).toMatch(/dispatches/);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    expect(await violationsOf(page)).toEqual([]);
  },
);

test('the demo page leads to it and back', async () => {
  await open();
  await page.getByRole('link', { name: 'gatewise' }).click();
  await page.getByRole('link', { name: 'Particles with a memory' }).click();
  await framesReach(1);
});
