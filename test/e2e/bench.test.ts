// The benchmark runs one small workload under Node. test/bench has its other tests, which run when it changes.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

test('npm run bench:node measures a workload and checks its results', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatewise-bench-'));
  const args = ['bench/node.mjs', '--only', 'trial-training', '--out', folder];
  const cwd = join(import.meta.dirname, '../..');
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(`${stderr}${stdout}`).toMatch(
    /^gatewise webgpu +\d.*\n\nfastest: gatewise webgpu in 1 of 1 workloads$/m,
  );
  expect(status).toBe(0);
});
