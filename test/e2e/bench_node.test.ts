// The benchmark without a browser: `npm run bench:node`, the packed folder on its own, and PyTorch beside it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { gatewiseJob } from '../../bench/contestants/gatewise.ts';
import { makeTask } from '../../bench/data.ts';
import type { Results, Row } from '../../bench/results.ts';
import { trialWorkloads } from '../../bench/workloads.ts';
import { createRuntime } from '../../src/index.ts';
import { nodeGPU } from '../../src/node/index.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'gatewise-bench-'));

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function run(program: string, args: readonly string[], cwd = folder, env = process.env): Ended {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, env, encoding: 'utf8' });
  if (error !== undefined) throw error;
  return { code: status, output: stdout, errors: stderr };
}

/** What it printed. @throws Error with what it said unless it ends well. */
function succeed({ code, output, errors }: Ended): string {
  if (code !== 0) throw new Error(`ended with ${code}\n${output}\n${errors}`);
  return output;
}

const node = (script: string, ...args: readonly string[]): Ended =>
  run(process.execPath, [join(root, 'bench', script), ...args]);

const readResults = (path: string): Results => JSON.parse(readFileSync(path, 'utf8'));

function rowOf({ rows }: Pick<Results, 'rows'>, workload: string, contestant = 'gatewise webgpu'): Row {
  const row = rows.find((one) => one.workload === workload && one.contestant === contestant);
  if (row === undefined) throw new Error(`no row of ${contestant} for ${workload}`);
  return row;
}

describe('bench:node', () => {
  const path = join(folder, 'out.json');
  let output: string;
  let results: Results;

  beforeAll(() => {
    output = succeed(node('node.mjs', '--set', 'trial', '--backends', 'webgpu,cpu', '--json', path));
    results = readResults(path);
  });

  test('measures every workload on each backend, and finds every answer right', () => {
    const names = trialWorkloads.map(({ name }) => name);
    expect(results.workloads).toEqual(trialWorkloads);
    for (const contestant of ['gatewise webgpu', 'gatewise cpu']) {
      const rows = results.rows.filter((row) => row.contestant === contestant);
      expect(rows.map(({ workload }) => workload)).toEqual(names);
      for (const { status, error, timing } of rows) {
        expect(status).toBe('ok');
        expect(error).toBeLessThan(1e-4);
        expect(timing?.latency.median).toBeGreaterThan(0);
        expect(timing?.latency.samples).toBeGreaterThanOrEqual(results.settings.minSamples);
      }
    }
    // Of some the garbage is collected in the middle.
    expect(results.rows.filter(({ heapBytes = 0 }) => heapBytes > 0)).not.toHaveLength(0);
  });

  test('calibrates the adapter, and says how far from its floor each workload is', () => {
    expect(results.adapter.description).toMatch(/^WebGPU: ./);
    expect(results.environment.agent).toMatch(/^Node \d+\.\d+\.\d+, Dawn of webgpu \d/);
    const { flopPerSecond, dispatchSeconds, roundTripSeconds, bandwidth } = results.calibration;
    for (const rate of [
      flopPerSecond,
      dispatchSeconds,
      roundTripSeconds,
      ...bandwidth.map((at) => at.bytesPerSecond),
    ])
      expect(rate).toBeGreaterThan(0);
    for (const row of results.rows.filter(({ backend }) => backend === 'webgpu')) {
      expect(row.floor?.time).toBeGreaterThan(0);
      expect(row.rho).toBeDefined();
    }
    expect(rowOf(results, 'trial-lstm', 'gatewise cpu').rho).toBeUndefined();
  });

  test('counts by wrapping Dawn what the plans say', async () => {
    using runtime = await createRuntime({ backend: 'webgpu', gpu: await nodeGPU() });
    for (const name of ['trial-deep', 'trial-training', 'trial-matmul']) {
      const workload = trialWorkloads.find((one) => one.name === name);
      if (workload === undefined) throw new Error(`there is no ${name}`);
      const { steps } = await (await gatewiseJob(runtime, makeTask(workload, 1))).profile();
      const dispatches = steps.reduce((sum, step) => sum + (step.memoised ? 0 : step.dispatches), 0);
      expect(rowOf(results, name).counts).toMatchObject({ dispatches, maps: 1, pipelines: 0, bindGroups: 0 });
      expect(rowOf(results, name).gpuBytes).toBeGreaterThan(0);
    }
    expect(rowOf(results, 'trial-matmul', 'gatewise cpu').counts).toBeUndefined();
  });

  test('prints a table', () => {
    expect(output).toContain(results.adapter.description);
    for (const { name } of trialWorkloads) expect(output).toContain(`\n${name}: `);
    expect(output).toMatch(/^gatewise webgpu +\d/m);
  });

  test('refuses what there is not, by name', () => {
    const unknown = node('node.mjs', '--only', 'nonsense');
    expect(unknown.code).toBe(1);
    expect(unknown.errors).toMatch(/expected one of .*trial-lstm.*, got "nonsense"/);
    expect(node('node.mjs', '--backends', 'webgpu,tpu').errors).toMatch(
      /expected one of webgpu, cpu, got "tpu"/,
    );
  });
});

describe('bench:pack', () => {
  // Where nothing of the project is above it.
  const alone = join(folder, 'alone/bench-pack');
  const bench = (...args: readonly string[]): Ended => run(process.execPath, ['bench.mjs', ...args], alone);

  beforeAll(() => {
    mkdirSync(join(folder, 'alone'));
    const out = join(folder, 'bench-pack');
    // Pressed only a little, which is quick.
    const env = { ...process.env, XZ_OPT: '-0' };
    succeed(run(process.execPath, [join(root, 'bench/pack.mjs'), '--out', out], folder, env));
    succeed(run('tar', ['-xf', `${out}.tar.xz`, '-C', join(folder, 'alone')]));
  });

  test('needs nothing but Node', () => {
    expect(readdirSync(alone).toSorted()).toEqual(
      ['LICENSE', 'LICENSE-webgpu.md', 'README.txt', 'bench.mjs', 'dist', 'torch_peer.py'].toSorted(),
    );
    expect(statSync(join(folder, 'bench-pack.tar.xz')).size).toBeLessThan(40 * 2 ** 20);

    const output = succeed(bench('--only', 'trial-training', '--json', 'out.json', '--profile'));
    expect(output).toMatch(/recurrent_backward .* (dispatch|compute|bandwidth) /);
    const results = readResults(join(alone, 'out.json'));
    expect(results.rows).toHaveLength(1);
    const row = rowOf(results, 'trial-training');
    expect(row.status).toBe('ok');
    expect(row.counts?.dispatches).toBeGreaterThan(0);
    expect(row.rho).toBeDefined();
  });

  test('ends with 1 where an answer is wrong, and does not time it', () => {
    const path = join(alone, 'bench.mjs');
    const script = readFileSync(path, 'utf8');
    // No answer differs by less than nothing.
    const strict = script.replace(/!\(error <= [\w.-]+\)/, '!(error <= -1)');
    expect(strict).not.toBe(script);
    writeFileSync(path, strict);
    try {
      const { code, output } = bench('--only', 'trial-gru', '--json', 'wrong.json');
      expect(code).toBe(1);
      expect(output).toMatch(/gatewise webgpu: wrong: differs from the reference by/);
      const row = rowOf(readResults(join(alone, 'wrong.json')), 'trial-gru');
      expect(row.status).toBe('wrong');
      expect(row.timing).toBeUndefined();
    } finally {
      writeFileSync(path, script);
    }
  });

  test('refuses a platform that Dawn has no module for, and a node of another platform', () => {
    const pack = (...args: readonly string[]): Ended =>
      node('pack.mjs', '--out', join(folder, 'no'), ...args);
    expect(pack('--platform', 'amiga').errors).toMatch(/expected one of .*linux-x64.*, got amiga/);
    const other = process.platform === 'win32' ? 'linux-x64' : 'win32-x64';
    expect(pack('--platform', other, '--node').errors).toMatch(/this machine's node is for/);
  });
});

describe('torch_peer.py', () => {
  const script = join(root, 'bench/torch_peer.py');
  const has = (python: string, module: string): boolean =>
    spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0;
  // A Python from elsewhere, first in the path, may lack what the system's has.
  const pythons = ['python3', '/usr/bin/python3'];
  const python = pythons.find((one) => has(one, 'json'));
  const withTorch = pythons.find((one) => has(one, 'torch'));
  const peer = (...args: readonly string[]): Ended =>
    run(withTorch ?? '', [script, '--device', 'cpu', '--workloads', 'workloads.json', ...args]);

  beforeAll(() => {
    const output = succeed(node('node.mjs', '--set', 'trial', '--workloads', '-'));
    writeFileSync(join(folder, 'workloads.json'), output);
  });

  // -S: without the packages of the site, of which torch is one.
  test.skipIf(python === undefined)('says what it lacks: PyTorch, workloads, a name', () => {
    const bare = (...args: readonly string[]): Ended => run(python ?? '', ['-S', script, ...args]);
    expect(bare('--help').output).toMatch(/--workloads FILE/);
    const torchless = bare('--workloads', 'workloads.json');
    expect(torchless.code).toBe(1);
    expect(torchless.errors).toMatch(/expected PyTorch.*pip install torch/);
    expect(bare('--workloads', 'nowhere.json').errors).toMatch(/expected a file of .*got nowhere\.json/);
    expect(bare('--workloads', 'workloads.json', '--only', 'x').errors).toMatch(
      /has no x; it has trial-lstm/,
    );
  });

  test.skipIf(withTorch === undefined)('times the same workloads, and adds rows to those of before', () => {
    const { code, output, errors } = peer('--json', 'torch.json');
    expect(errors).not.toMatch(/Traceback/);
    expect(code).toBe(0);
    expect(output).toMatch(/^trial-training +PyTorch CPU float32 +\d/m);
    interface Peer extends Pick<Results, 'settings'> {
      readonly torch: string;
      readonly rows: readonly (Omit<Row, 'backend'> & { readonly backend: string })[];
    }
    const read = (): Peer => JSON.parse(readFileSync(join(folder, 'torch.json'), 'utf8'));
    const { torch, rows } = read();
    expect(torch).toMatch(/^\d+\.\d+/);
    expect(rows.map(({ workload }) => workload)).toEqual(trialWorkloads.map(({ name }) => name));
    for (const { status, error, timing } of rows) {
      expect(status).toBe('ok');
      expect(error).toBeLessThan(1e-5);
      for (const summary of [timing?.latency, timing?.throughput, timing?.script])
        expect(summary).toMatchObject({
          median: expect.any(Number),
          low: expect.any(Number),
          high: expect.any(Number),
        });
    }

    const more = peer('--json', 'torch.json', '--only', 'trial-gru', '--precision', 'float32', 'float16');
    expect(more.code).toBe(0);
    const names = read().rows.map(
      ({ workload, contestant, status }) => `${workload} ${contestant} ${status}`,
    );
    expect(names).toHaveLength(trialWorkloads.length + 1);
    expect(names).toContain('trial-gru PyTorch CPU float16 unsupported');
    expect(new Set(names).size).toBe(names.length);

    writeFileSync(join(folder, 'torch.json'), JSON.stringify({ ...read(), torch: '0.1' }));
    expect(peer('--json', 'torch.json').errors).toMatch(/has torch 0\.1, this is .*name another file/);
  });
});
