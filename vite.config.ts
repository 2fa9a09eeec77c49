// The one configuration: the library build (`vite build`), the demo page (`vite demo`) and the test projects.
import { availableParallelism } from 'node:os';

import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

import { browserArguments, findBrowser } from './test/setup/browser.mjs';
import { recurrentCases } from './test/setup/cases_plugin.ts';

const root = import.meta.dirname;
// Looked for only when tests run: a wrong CHROME_PATH is no reason not to build or to serve the page.
const executablePath = process.env['VITEST'] === undefined ? undefined : findBrowser();

// Compiling shaders is most of the work of the GPU tests, on one core each; what is timed runs alone.
const gpuWorkers = Math.max(1, Math.min(4, availableParallelism()));

const gpuTests = { testTimeout: 60_000, hookTimeout: 60_000 };

const nodeTests = {
  ...gpuTests,
  environment: 'node' as const,
  pool: 'forks' as const,
  globalSetup: ['test/setup/node_adapter.ts'],
  setupFiles: ['test/setup/node.ts'],
  provide: { backend: 'webgpu' as const },
};

export default defineConfig({
  plugins: [recurrentCases(root)],
  build: {
    lib: {
      entry: {
        index: `${root}/src/index.ts`,
        ...Object.fromEntries(
          ['node', 'tools', 'train', 'worker'].map((name) => [name, `${root}/src/${name}/index.ts`]),
        ),
      },
      formats: ['es'],
    },
    target: 'es2023',
    outDir: `${root}/dist`,
    emptyOutDir: true,
    sourcemap: true,
    minify: false,
    rolldownOptions: {
      external: [/^node:/, 'webgpu'],
      // A file for each module, so that an application's bundler leaves out what the application does not use.
      output: { preserveModules: true, preserveModulesRoot: `${root}/src`, entryFileNames: '[name].js' },
    },
  },
  test: {
    root,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/both/**/*.test.ts'],
          environment: 'node',
          testTimeout: 60_000,
          maxWorkers: availableParallelism(),
          // Importing the library anew for each of the many small files would take a third of the time.
          isolate: false,
          restoreMocks: true,
          unstubGlobals: true,
          provide: { backend: 'cpu' },
        },
      },
      {
        extends: true,
        test: {
          ...nodeTests,
          name: 'node',
          include: ['test/gpu/**/*.test.ts', 'test/both/**/*.test.ts'],
          maxWorkers: gpuWorkers,
        },
      },
      {
        extends: true,
        test: {
          ...nodeTests,
          name: 'timing',
          include: ['test/timing/**/*.test.ts'],
          fileParallelism: false,
        },
      },
      {
        extends: true,
        // A package that Vite first meets during a run makes it reload the page under the tests.
        optimizeDeps: { include: ['fast-check'] },
        test: {
          ...gpuTests,
          name: 'chrome',
          // Beside what is a browser's own, what is about devices.
          include: [
            'test/chrome/**/*.test.ts',
            'test/gpu/{memory,own_device,stream_push,trainer_cost}.test.ts',
          ],
          fileParallelism: false,
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
