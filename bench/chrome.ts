// Passes of the benchmark in headless Chrome, each in a browser of its own.
import { join } from 'node:path';

import { chromium, type Page } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';

import { browserArguments, ensureBrowser } from '../test/setup/browser.mjs';
import type { Builds } from './against.ts';
import type { Listener } from './benchmark.ts';
import type { Choice, Session } from './command.ts';
import { describeMachine } from './machine.ts';
import type { BenchEvent, FromCommand } from './page/events.ts';
import type { Adapter, Results } from './results.ts';

const folder = import.meta.dirname;
const root = join(folder, '..');
const LOADING = 120_000;
// To collect garbage before each sample, and to see what a run leaves.
const MEMORY_FLAGS = ['--js-flags=--expose-gc', '--enable-precise-memory-info'];

/** Serves the page. @param port 0 for any that is free. @param more folders that it may load from */
export async function serve(
  port: number,
  ...more: readonly string[]
): Promise<{ readonly server: ViteDevServer; readonly url: string }> {
  const server = await createServer({
    configFile: join(root, 'vite.config.ts'),
    root: folder,
    logLevel: 'warn',
    server: {
      port,
      host: 'localhost',
      fs: { allow: [root, ...more] },
      // No reload in the middle of a run.
      hmr: false,
      watch: null,
      // An isolated page has threads, and a clock of 5 µs.
      headers: {
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'require-corp',
      },
    },
  });
  await server.listen();
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error('bench: the server has no address');
  return { server, url };
}

/**
 * Opens the page in a browser of its own, runs an action, and closes the browser.
 * @throws Error if the page fails, crashes or goes away.
 */
async function inPage<T>(
  url: string,
  command: FromCommand,
  action: (page: Page, done: Promise<Results>) => Promise<T>,
  listener?: Listener,
): Promise<T> {
  const args = [...browserArguments(), ...MEMORY_FLAGS];
  const browser = await chromium.launch({ executablePath: ensureBrowser(), args });
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(`page: ${error.stack ?? error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') console.error(`page: ${message.text()}`);
    });
    await page.addInitScript(`window.gatewiseCommand = ${JSON.stringify(command)};`);
    const done = new Promise<Results>((resolve, reject) => {
      const fail = (message: string) => (): void => reject(new Error(`bench: ${message}`));
      page.on('crash', fail('the page has crashed'));
      page.on('close', fail('the page was closed'));
      browser.on('disconnected', fail('the browser is gone'));
      const onEvent = (event: BenchEvent): void => {
        if (event.kind === 'done') resolve(event.results);
        else if (event.kind === 'failed') fail(event.message)();
        else listener?.(event);
      };
      page
        .exposeFunction('gatewiseBench', onEvent)
        .then(() => page.goto(url, { timeout: LOADING }))
        .catch(reject);
    });
    return await Promise.race([action(page, done), done.then(() => new Promise<never>(() => undefined))]);
  } finally {
    await browser.close();
  }
}

const urlOfFile = (path: string): string => `/@fs/${path.replaceAll('\\', '/').replace(/^\//, '')}`;

export async function openChrome(builds: Builds | undefined): Promise<Session> {
  const { server, url } = await serve(0, ...(builds === undefined ? [] : [builds.folder]));
  const machine = describeMachine();
  const pass = ({ workloads, settings, peers }: Choice, listener: Listener): Promise<Results> => {
    const only = workloads.map(({ name }) => name).join();
    const query = new URLSearchParams({ only, peers: builds === undefined ? peers.join() : '' });
    const compared = builds && {
      peers,
      builds: [{ url: urlOfFile(builds.after) }, { url: urlOfFile(builds.before), commit: builds.commit }],
    };
    const command = { machine, settings, ...compared };
    return inPage(`${url}?${query}&autostart`, command, (_, done) => done, listener);
  };
  /** Runs an action in a page that does not measure. */
  const ask = <T>(action: (page: Page) => Promise<T>): Promise<T> =>
    inPage(url, { machine }, async (page) => {
      await page.waitForFunction(() => window.gatewisePage !== undefined);
      return action(page);
    });
  try {
    const adapter = await ask((page) => page.evaluate(() => window.gatewisePage?.adapter));
    if (adapter === undefined) throw new Error('bench: this browser gives no WebGPU adapter');
    return {
      adapter: adapter satisfies Adapter,
      pass,
      finish: (results) =>
        ask((page) => page.evaluate((shown) => window.gatewisePage?.picture(shown) ?? '', results)),
      close: () => server.close(),
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}
