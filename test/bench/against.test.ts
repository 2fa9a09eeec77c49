// The working tree against a commit, as it is used; and commits that cannot be compared with.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

import type { Results } from '../../bench/results.ts';
import { root, run } from './fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatewise-bench-'));
const json = join(folder, 'out.json');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const git = (args: readonly string[], env = {}, input = ''): string =>
  execFileSync('git', args, { cwd: root, env: { ...process.env, ...env }, input, encoding: 'utf8' }).trim();
const head = git(['rev-parse', '--short', 'HEAD']);
const left = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('gatewise-against-'));

test.each(['start.mjs', 'node.mjs'])(
  '%s: both builds take turns, in the other order in each pass',
  async (script) => {
    const before = left();
    const { output } = await run(
      script,
      `--against HEAD --passes 2 --only trial-gru trial-stream --json ${json}`,
    );
    const order = [...output.matchAll(/trial-gru: preparing (.+)\n/g)].map(([, name]) => name);
    expect(order).toEqual(['gatewise webgpu', `gatewise ${head}`, `gatewise ${head}`, 'gatewise webgpu']);
    expect(output).toMatch(/trial-stream( +[\d.]+){3} +[\d.]+–[\d.]+ +2/);
    const { rows, ratios, peers } = JSON.parse(readFileSync(json, 'utf8')) as Results;
    expect(rows.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(rows.every(({ counts }) => (counts?.dispatches ?? 0) > 0)).toBe(true);
    // The latency of a step is above 0, where the slope of a trial may not be.
    expect(ratios?.find(({ workload }) => workload === 'trial-stream')?.before).toHaveLength(2);
    expect(peers).toEqual(['against', head]);
    expect(left()).toEqual(before);
  },
);

/** A commit of one file changed from HEAD, on no branch. */
function commitWith(path: string, content: string): string {
  const env = { GIT_INDEX_FILE: join(folder, 'index') };
  git(['read-tree', 'HEAD'], env);
  const blob = git(['hash-object', '-w', '--stdin'], env, content);
  git(['update-index', '--add', '--cacheinfo', `100644,${blob},${path}`], env);
  const who = ['-c', 'user.name=test', '-c', 'user.email=test@localhost'];
  return git([...who, 'commit-tree', git(['write-tree'], env), '-p', 'HEAD', '-m', 'test']);
}

test('a wrong commit is not timed, and the run ends with 1', async () => {
  const source = readFileSync(join(root, 'src/nn/linear.ts'), 'utf8');
  const wrong = source.replace('return { output: this.bias ? add(', 'return { output: this.bias ? sub(');
  expect(wrong).not.toBe(source);
  const imported = wrong.replace(/\badd\b(?=[,\s}][^;]*from)/, 'add, sub');
  const commit = commitWith('src/nn/linear.ts', imported);
  const options = `--against ${commit} --passes 1 --only trial-training --json ${json}`;
  const { code, output } = await run('node.mjs', options);
  expect(output).toMatch(/trial-training: gatewise [0-9a-f]+: wrong: differs from the reference/);
  expect(code).toBe(1);
});

test.each([
  ['that there is not', () => 'nonsense', /^--against: there is no commit "nonsense" in this repository\n$/],
  [
    'that does not build',
    () => commitWith('src/index.ts', 'export { x } from "./nowhere.ts";'),
    /--against: the build of [0-9a-f]+ failed:\n[^]*nowhere/,
  ],
])('a commit %s is a clear error', async (_, make, message) => {
  const before = left();
  const { code, output } = await run('start.mjs', `--against ${make()}`);
  expect(output).toMatch(message);
  expect(code).toBe(1);
  expect(left()).toEqual(before);
});

test('--against takes no peers', async () => {
  expect((await run('start.mjs', '--against HEAD --peers jax')).output).toMatch(
    /'--against <commit>' cannot be used with option '--peers/,
  );
});
