// What tests of the demo's pages share: the server, and the check of accessibility.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import type { AxeResults, RunOptions } from 'axe-core';
import type { Page } from 'playwright-core';

/** Serves the demo as `npm start` does, on a free port. */
export async function serveDemo(): Promise<{ address: string; stop: () => void }> {
  const server = spawn(process.execPath, ['demo/start.mjs', '--port', '0'], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const address = await new Promise<string>((resolve, reject) => {
    server.stdout.on('data', (chunk) => {
      const url = /http:\S+/.exec(String(chunk))?.[0];
      if (url !== undefined) resolve(url);
    });
    server.on('exit', (code) => reject(new Error(`npm start ended with ${code}`)));
  });
  return { address, stop: () => server.kill() };
}

/** What axe finds wrong with a page, one line for each rule. */
export async function violationsOf(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') });
  const { violations } = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (options: RunOptions) => Promise<AxeResults> } };
    return axe.run({});
  });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}
