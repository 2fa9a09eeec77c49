// `npm test`: sets up what is missing, runs every test project and ends with `N passed, N failed` on a line of its own.
// Arguments: `--project NAME` (unit, node, timing, chrome, e2e, bench; may be repeated) and parts of file names to run only
// those. Unless it is asked for, `bench` runs only where the benchmark has changed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { ensureBrowser } from './setup/browser.mjs';
import { hasChanged } from './setup/changed.mjs';
import { countReport } from './setup/count.mjs';
import { command, ensureDependencies, root } from './setup/dependencies.mjs';

const PROJECTS = ['unit', 'node', 'timing', 'chrome', 'e2e', 'bench'];
const NEED_BROWSER = ['chrome', 'e2e', 'bench'];
const PROJECT_LIMIT_MS = 15 * 60_000;

const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    project: { type: 'string', multiple: true },
    // Checks that failed in CI before the tests. Each counts as a failure, so that the last line includes them.
    'also-failed': { type: 'string', multiple: true },
  },
});
const isBenchChanged = hasChanged(['bench/', 'test/bench/']);
const projects = values.project ?? PROJECTS.filter((project) => project !== 'bench' || isBenchChanged);
/** @type {string[]} */
const times = [];

/**
 * @param {string} project
 * @param {string} folder
 * @returns {import('./setup/count.mjs').Count}
 */
function runProject(project, folder) {
  console.log(`\n== ${project}`);
  const start = performance.now();
  const report = join(folder, `${project}.json`);
  const { status } = spawnSync(
    process.execPath,
    [
      command('vitest'),
      'run',
      `--project=${project}`,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...(filters.length > 0 ? ['--passWithNoTests'] : []),
      ...filters,
    ],
    { cwd: root, stdio: 'inherit', timeout: PROJECT_LIMIT_MS },
  );
  times.push(`${project} ${((performance.now() - start) / 1000).toFixed(0)} s`);
  const results = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
  return countReport(project, results, status, filters.length > 0);
}

/** @returns {import('./setup/count.mjs').Count} */
function runAll() {
  const total = { passed: 0, failed: 0, skipped: 0, problems: /** @type {string[]} */ ([]) };
  const fail = (/** @type {unknown} */ error) => {
    total.failed += 1;
    total.problems.push(error instanceof Error ? error.message : String(error));
  };
  const unknown = projects.filter((project) => !PROJECTS.includes(project));
  if (unknown.length > 0) {
    fail(`--project: expected ${PROJECTS.join(', ')}, got ${unknown.join(', ')}`);
    return total;
  }
  for (const name of values['also-failed'] ?? []) fail(`${name} failed, see above`);
  try {
    ensureDependencies();
    ensureDependencies('bench');
  } catch (error) {
    fail(error);
    return total;
  }
  let runnable = projects;
  if (projects.some((project) => project !== 'unit')) {
    try {
      // Node needs it too where there is no hardware adapter: it uses the browser's software adapter.
      process.env['CHROME_PATH'] = ensureBrowser();
    } catch (error) {
      delete process.env['CHROME_PATH'];
      fail(error);
      runnable = projects.filter((project) => !NEED_BROWSER.includes(project));
      for (const project of projects)
        if (!runnable.includes(project)) fail(`${project}: not run without a browser`);
    }
  }

  const folder = mkdtempSync(join(tmpdir(), 'gatewise-test-'));
  try {
    for (const project of runnable) {
      const count = runProject(project, folder);
      total.passed += count.passed;
      total.failed += count.failed;
      total.skipped += count.skipped;
      total.problems.push(...count.problems);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (total.passed + total.failed + total.skipped === 0) fail(`no test matches ${filters.join(' ')}`);
  return total;
}

const { passed, failed, skipped, problems } = runAll();
console.log('');
if (times.length > 0) console.log(times.join(', '));
for (const problem of problems) console.log(`FAILED ${problem}`);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
