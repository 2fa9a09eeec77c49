// The package, packed and installed into a new project: imported by name in Node, type-checked and bundled.
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { command } from '../setup/dependencies.mjs';

const root = join(import.meta.dirname, '../..');
const project = mkdtempSync(join(tmpdir(), 'gatewise-package-'));
const installed = join(project, 'node_modules/gatewise');

function npm(cwd: string, ...args: string[]): string {
  const options = { cwd, encoding: 'utf8', shell: process.platform === 'win32' } as const;
  return execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], options);
}

/** Runs a module of the new project in Node and returns its output. */
function runNode(name: string, code: string): string {
  writeFileSync(join(project, name), code);
  return execFileSync(process.execPath, [name], { cwd: project, encoding: 'utf8' }).trim();
}

beforeAll(() => {
  npm(root, 'pack', '--pack-destination', project);
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
  );
  npm(project, 'install', '--offline', `./${tarball}`);
});

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

test('contains the build and its sources only', () => {
  const others = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
  expect(others).toEqual(['gatewise']);
  const top = readdirSync(installed);
  expect(top).toEqual(
    expect.arrayContaining(['CHANGELOG.md', 'LICENSE', 'dist', 'package.json', 'shaders', 'src']),
  );
  expect(top).not.toEqual(expect.arrayContaining(['test']));
  expect(JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))).not.toHaveProperty(
    'dependencies',
  );
});

test('every source of a source map exists', () => {
  const maps = readdirSync(join(installed, 'dist'), { recursive: true, encoding: 'utf8' });
  for (const name of maps.filter((path) => path.endsWith('.d.ts.map'))) {
    const folder = join(installed, 'dist', name, '..');
    const { sources } = JSON.parse(readFileSync(join(installed, 'dist', name), 'utf8')) as {
      sources: string[];
    };
    for (const source of sources)
      expect(readFileSync(join(folder, source), 'utf8').length).toBeGreaterThan(0);
  }
});

test('is imported by name in Node', () => {
  const printed = runNode(
    'by_name.js',
    `import { createRuntime, LSTM, GatewiseError } from 'gatewise';
     console.log(typeof createRuntime, typeof LSTM, new GatewiseError('argument', 'said').code);`,
  );
  expect(printed).toBe('function function argument');
});

test('every entry is imported in Node, without a DOM, and its parts fit together', () => {
  const printed = runNode(
    'entries.js',
    `import { createRuntime, LSTM } from 'gatewise';
     import { explain } from 'gatewise/tools';
     import { Trainer, mse, sgd } from 'gatewise/train';
     import { connect, serve } from 'gatewise/worker';
     const { port1, port2 } = new MessageChannel();
     serve({ runtime: { backend: 'cpu' }, models: { lstm: () => new LSTM({ inputSize: 1, hiddenSize: 1 }) } }, port1);
     const far = await (await connect(port2)).load('lstm');
     const { shape } = await far.run([[[1]]]);
     for (const port of [port1, port2]) port.close();
     const runtime = await createRuntime({ backend: 'cpu' });
     const net = await runtime.load(new LSTM({ inputSize: 1, hiddenSize: 1 }));
     const trainer = new Trainer(net, { loss: mse, optimizer: sgd({ lr: 1 }) });
     await trainer.step([[[1]]], [[[2]]]);
     console.log(typeof document, shape.join(), trainer.steps, explain(trainer, [[[1]]], [[[2]]]).split('\\n')[0]);`,
  );
  expect(printed).toMatch(/^undefined 1,1,1 1 step +op/);
});

test('gatewise/node names the optional package where it is missing, and finds an adapter where it is installed', () => {
  const code = `import { GatewiseError } from 'gatewise';
    import { nodeGPU } from 'gatewise/node';
    try {
      const adapter = await (await nodeGPU()).requestAdapter();
      console.log('adapter', adapter !== null, GPUBufferUsage.MAP_READ);
    } catch (error) {
      console.log(error instanceof GatewiseError, error.code, error.message);
    }`;
  expect(runNode('no_peer.js', code)).toMatch(/^true no-adapter .*npm install webgpu/);
  const peer = join(project, 'node_modules/webgpu');
  symlinkSync(join(root, 'node_modules/webgpu'), peer, 'junction');
  try {
    expect(runNode('peer.js', code)).toBe('adapter true 1');
  } finally {
    rmSync(peer);
  }
});

test.each([
  ['esnext', 'bundler'],
  ['nodenext', 'nodenext'],
])('has types for module %s with resolution %s', (module, moduleResolution) => {
  writeFileSync(
    join(project, 'consumer.ts'),
    `import { createRuntime, GatewiseError, LSTM } from 'gatewise';
     import { nodeGPU, type NodeGPUOptions } from 'gatewise/node';
     import { explain, type Plan } from 'gatewise/tools';
     import { adam, mse, Trainer } from 'gatewise/train';
     import { connect, serve, type RemoteNet } from 'gatewise/worker';

     export async function train(): Promise<string> {
       const runtime = await createRuntime();
       const net = await runtime.load(new LSTM({ inputSize: 1, hiddenSize: 2 }));
       const trainer = new Trainer(net, { loss: mse, optimizer: adam() });
       // @ts-expect-error a step takes an input and a target
       explain(trainer, [[[1]]]);
       // @ts-expect-error what only the library uses is not declared
       runtime.allocate([1], 'f32');
       return explain(net, [[[1]]]) + explain(trainer, [[[1]]], [[[1, 2]]]);
     }
     export const far = async (worker: Worker): Promise<RemoteNet> => (await connect(worker)).load('lstm');
     export const near = (): void => serve({ models: { lstm: () => lstm } });
     export type Steps = Plan['steps'];
     const options: NodeGPUOptions = { software: true };
     export const gpu: Promise<GPU> = nodeGPU(options);
     export const lstm = new LSTM({ inputSize: 10, hiddenSize: 20 });
     export type Runtime = Awaited<ReturnType<typeof createRuntime>>;
     // @ts-expect-error the sizes are numbers
     new LSTM({ inputSize: '10', hiddenSize: 20 });
     // @ts-expect-error not one of the error codes
     new GatewiseError('no such code', 'said');
     // If a type became \`any\`, this would not be an error.
     // @ts-expect-error a runtime is no number
     export const wrong: number = undefined as unknown as Runtime;`,
  );
  const compilerOptions = {
    module,
    moduleResolution,
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
  const printed = (() => {
    try {
      return execFileSync(process.execPath, [command('typescript', 'tsc')], {
        cwd: project,
        encoding: 'utf8',
      });
    } catch (error) {
      return String((error as { stdout: unknown }).stdout);
    }
  })();
  expect(printed).toBe('');
});

/** Bundles a module for a page and returns the code. */
async function bundle(name: string, code: string): Promise<string> {
  const folder = join(project, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'main.js'), code);
  const built = await build({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    build: { write: false, target: 'es2023', rolldownOptions: { input: join(folder, 'main.js') } },
  });
  const outputs = Array.isArray(built) ? built : [built];
  return outputs
    .flatMap((result) => ('output' in result ? result.output : []))
    .reduce((all, file) => all + (file.type === 'chunk' ? file.code : ''), '');
}

test('a bundler drops unused exports', async () => {
  const code = await bundle(
    'only_error',
    "import { GatewiseError } from 'gatewise'; throw new GatewiseError('file', 'x');",
  );
  expect(code).toContain('GatewiseError');
  expect(code.length).toBeLessThan(1000);
});

test("a page whose runtime is in a worker ships none of the library's work", async () => {
  const code = await bundle(
    'page',
    "import { connect } from 'gatewise/worker'; globalThis.remote = connect(new Worker('worker.js'));",
  );
  expect(code).toContain('postMessage');
  expect(code.length).toBeLessThan(6000);
});

test('a bundle for a page imports nothing from Node', async () => {
  const code = await bundle(
    'all',
    "import * as core from 'gatewise'; import * as tools from 'gatewise/tools'; import * as train from 'gatewise/train'; import * as worker from 'gatewise/worker'; globalThis.all = { core, tools, train, worker };",
  );
  expect(code).toContain('GatewiseError');
  expect(code).not.toMatch(/["']node:|from ?["']webgpu["']|require\(/);
});
