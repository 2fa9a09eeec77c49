// The one configuration: the library build (`vite build`), the demo page (`vite demo`) and the test projects.
import { availableParallelism } from 'node:os';

import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

import { browserArguments, findBrowser } from './test/setup/browser.mjs';
import { recurrentCases } from './test/setup/cases_plugin.ts';

const root = import.meta.dirname;
// Looked for only when tests run: a wrong CHROME_PATH is no reason not to build or to serve the page.
const executablePath = process.env['VITEST'] === undefined ? undefined : findBrowser();

// The software adapter uses every core for one dispatch, and tests that calibrate want to know how fast it is: a small machine
// runs one GPU file at a time.
const gpuWorkers = Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)));

const gpuTests = {
  include: ['test/gpu/**/*.test.ts'],
  testTimeout: 60_000,
  hookTimeout: 60_000,
  maxWorkers: gpuWorkers,
};

export default defineConfig({
  plugins: [recurrentCases(root)],
  build: {
    lib: { entry: { index: `${root}/src/index.ts`, node: `${root}/src/node/index.ts` }, formats: ['es'] },
    target: 'es2023',
    outDir: `${root}/dist`,
    emptyOutDir: true,
    sourcemap: true,
    minify: false,
    rolldownOptions: {
      external: [/^node:/, 'webgpu'],
      output: { entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
    },
  },
  test: {
    root,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], environment: 'node' } },
      {
        extends: true,
        test: {
          ...gpuTests,
          name: 'node',
          environment: 'node',
          pool: 'forks',
          globalSetup: ['test/setup/node_adapter.ts'],
          setupFiles: ['test/setup/node.ts'],
        },
      },
      {
        extends: true,
        // A package that Vite first meets during a run makes it reload the page under the tests.
        optimizeDeps: { include: ['fast-check'] },
        test: {
          ...gpuTests,
          name: 'chrome',
          fileParallelism: gpuWorkers > 1,
          setupFiles: ['test/setup/chrome.ts'],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                args: browserArguments(),
                ...(executablePath === undefined ? {} : { executablePath }),
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          environment: 'node',
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'bench',
          include: ['test/bench/**/*.test.ts'],
          environment: 'node',
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
