// The benchmark without a browser: `npm run bench:node`, the packed folder on its own, and PyTorch beside it.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { gatewiseJob } from '../../bench/contestants/gatewise.ts';
import { makeTask } from '../../bench/data.ts';
import type { Results, Row } from '../../bench/results.ts';
import { workloadsOf } from '../../bench/workloads.ts';
import { library as gatewise } from '../../bench/contestants/own_library.ts';
import { nodeGPU } from '../../src/node/index.ts';
import { root, run, start, succeed, type Ended } from './fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatewise-bench-'));
const read = (...path: readonly string[]): Results => JSON.parse(readFileSync(join(folder, ...path), 'utf8'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('bench:node measures every workload on each backend, and counts what the plans say', async () => {
  const options = `--set trial --peers gatewise gatewise-cpu --out ${folder} --json out.json`;
  const output = await succeed(run('node.mjs', options));
  expect(readdirSync(folder)).toEqual(['out.json']);
  const { rows, workloads, adapter, environment } = read('out.json');
  const trial = workloadsOf('trial');
  expect(workloads).toEqual(trial);
  expect(rows.map(({ status }) => status)).toEqual(rows.map(() => 'ok'));
  for (const { name } of trial) expect(output).toContain(`\n${name}: `);
  expect(output).toContain(adapter.description);
  expect(environment.agent).toMatch(/^Node \d+\.\d+\.\d+, Dawn of webgpu \d/);
  for (const { backend, error, rho, counts } of rows) {
    expect(error).toBeLessThan(1e-5);
    const onDevice = backend === 'webgpu';
    expect([(rho ?? 0) > 0, counts !== undefined]).toEqual([onDevice, onDevice]);
  }
  // Of some the garbage is collected in the middle.
  expect(rows.some(({ heapBytes = 0 }) => heapBytes > 0)).toBe(true);

  using runtime = await gatewise.createRuntime({ backend: 'webgpu', gpu: await nodeGPU() });
  for (const name of ['trial-deep', 'trial-training', 'trial-matmul']) {
    const workload = trial.find((one) => one.name === name)!;
    const job = await gatewiseJob(gatewise, runtime, makeTask(workload, 1));
    const { steps } = await job.profile();
    const dispatches = steps.reduce((sum, step) => sum + (step.memoised ? 0 : step.dispatches), 0);
    const own = rows.find((row) => row.workload === name && row.backend === 'webgpu');
    expect(own?.counts).toMatchObject({ dispatches, pipelines: 0, bindGroups: 0 });
    expect(own?.gpuBytes).toBeGreaterThan(0);
  }
});

test('bench:node refuses what there is not, by name', async () => {
  const { code, output } = await run('node.mjs', '--peers tfjs');
  expect(output).toMatch(/expected one of gatewise, gatewise-cpu, got "tfjs"/);
  expect(code).toBe(1);
});

describe('bench:pack', () => {
  // Where nothing of the project is above it.
  const alone = join(folder, 'alone/bench-pack');
  const bench = (words: string): Promise<Ended> => start(process.execPath, `bench.mjs ${words}`, alone).ended;

  beforeAll(async () => {
    mkdirSync(join(folder, 'alone'));
    const out = join(folder, 'bench-pack');
    // Pressed only a little, which is quick.
    process.env['XZ_OPT'] = '-0';
    await succeed(run('pack.mjs', `--out ${out}`));
    execFileSync('tar', ['-xf', `${out}.tar.xz`, '-C', join(folder, 'alone')]);
  });

  test('needs nothing but Node, and profiles', async () => {
    expect(readdirSync(alone).toSorted()).toEqual(
      ['LICENSE', 'LICENSE-webgpu.md', 'README.txt', 'bench.mjs', 'dist', 'torch_peer.py'].toSorted(),
    );
    expect(statSync(join(folder, 'bench-pack.tar.xz')).size).toBeLessThan(40 * 2 ** 20);
    const output = await succeed(bench('--only trial-training --json out.json --profile'));
    expect(output).toMatch(/recurrent_backward .* (dispatch|compute|bandwidth) /);
    expect(read('alone/bench-pack/out.json').rows).toMatchObject([{ status: 'ok', rho: expect.any(Number) }]);
  });

  test('ends with 1 where an answer is wrong, and does not time it', async () => {
    const path = join(alone, 'bench.mjs');
    const script = readFileSync(path, 'utf8');
    // No answer differs by less than nothing.
    const strict = script.replace(/\(error <= [\w.-]+\) return/, '(error <= -1) return');
    expect(strict).not.toBe(script);
    writeFileSync(path, strict);
    const { code, output } = await bench('--only trial-gru --json wrong.json');
    writeFileSync(path, script);
    expect(code).toBe(1);
    expect(output).toMatch(/gatewise webgpu: wrong: differs from the reference by/);
    const [row] = read('alone/bench-pack/wrong.json').rows;
    expect([row?.status, row?.timing]).toEqual(['wrong', undefined]);
  });

  test.each([
    ['--platform amiga', /expected one of .*linux-x64.*, got amiga/],
    ['--node --platform win32-arm64', /this machine's node is for/],
    ['--add nowhere', /--add: there is no nowhere/],
  ])('%s is refused', async (words, message) => {
    expect((await run('pack.mjs', `--out ${join(folder, 'no')} ${words}`)).output).toMatch(message);
  });
});

describe('torch_peer.py', () => {
  const script = join(root, 'bench/torch_peer.py');
  const has = (python: string, module: string): boolean =>
    spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0;
  // A Python from elsewhere, first in the path, may lack what the system's has.
  const pythons = ['python3', '/usr/bin/python3', process.env['TORCH_PYTHON'] ?? 'python3'];
  const python = pythons.find((one) => has(one, 'json'));
  const withTorch = pythons.find((one) => has(one, 'torch'));
  const peer = (words: string): Promise<Ended> =>
    start(withTorch ?? '', `${script} --device cpu --workloads out.json ${words}`, folder).ended;

  // -S: without the packages of the site, of which torch is one.
  test.skipIf(python === undefined)('says what it lacks: PyTorch, workloads, a name', async () => {
    const bare = async (words: string): Promise<string> =>
      (await start(python ?? '', `-S ${script} ${words}`, folder).ended).output;
    expect(await bare('--help')).toMatch(/--workloads FILE/);
    expect(await bare('--workloads out.json')).toMatch(/expected PyTorch.*pip install torch/);
    expect(await bare('--workloads nowhere.json')).toMatch(/expected a results file, .*got nowhere\.json/);
    expect(await bare('--workloads out.json --only x')).toMatch(/has no x; it has trial-lstm/);
  });

  test.skipIf(withTorch === undefined)('times the same workloads', async () => {
    const output = await succeed(peer('--json torch.json'));
    expect(output).toMatch(/^trial-training +PyTorch CPU float32 +\d/m);
    const { rows } = read('torch.json') as { readonly rows: readonly Row[] };
    expect(rows.map(({ workload }) => workload)).toEqual(workloadsOf('trial').map(({ name }) => name));
    const summary = { median: expect.any(Number), low: expect.any(Number), high: expect.any(Number) };
    for (const { status, error, timing } of rows) {
      expect(status).toBe('ok');
      expect(error).toBeLessThan(1e-5);
      expect(timing).toMatchObject({ latency: summary, throughput: summary });
    }
    const { code } = await peer('--json half.json --only trial-gru --precision float16');
    expect(code).toBe(0);
    expect(read('half.json').rows).toMatchObject([
      { contestant: 'PyTorch CPU float16', status: 'unsupported' },
    ]);
  });
});
