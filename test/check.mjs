// `npm run check`: what every commit must pass and needs no GPU. One line per part; a part that fails shows its output.
// Arguments: `--without NAME` (may be repeated) leaves out a part that is run elsewhere.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

import { command, ensureDependencies, root } from './setup/dependencies.mjs';

/**
 * `summary` matches the text of a part's output that is printed although the part passed.
 * @typedef {{ name: string, run: string[], summary?: RegExp }} Part
 */

/** @returns {Part[]} */
function parts() {
  const vitest = [command('vitest'), 'run', '--project=unit', '--reporter=dot'];
  return [
    { name: 'types', run: [command('typescript', 'tsc'), '--noEmit'] },
    { name: 'lint', run: [command('oxlint'), '--deny-warnings', '--report-unused-disable-directives'] },
    { name: 'format', run: [command('oxfmt'), '--check'] },
    { name: 'shaders', run: ['--import', 'tsx', 'shaders/reflect.ts', '--check'] },
    { name: 'imports', run: [...vitest, 'test/unit/imports.test.ts'], summary: /Tests +(.*)/ },
    { name: 'unit', run: [...vitest, '--exclude=test/unit/imports.test.ts'], summary: /Tests +(.*)/ },
    { name: 'size', run: ['--import', 'tsx', 'test/size.ts'], summary: /^(\d+ lines, .*)/m },
  ];
}

/**
 * @param {Part} part
 * @returns {boolean} whether it passed
 */
function runPart({ name, run, summary }) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, run, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
    maxBuffer: 64 * 2 ** 20,
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const passed = status === 0;
  const said = summary?.exec(stdout)?.[1] ?? '';
  console.log(
    `${name.padEnd(8)} ${passed ? 'ok    ' : 'FAILED'} ${seconds.padStart(5)} s  ${said}`.trimEnd(),
  );
  if (!passed) console.log(`${stdout}${stderr}`.trimEnd());
  return passed;
}

function main() {
  const { values } = parseArgs({ options: { without: { type: 'string', multiple: true } } });
  const { without = [] } = values;
  ensureDependencies();
  ensureDependencies('bench');
  const names = parts().map(({ name }) => name);
  const unknown = without.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new Error(`--without: expected one of ${names.join(', ')}, got ${unknown}`);
  // All parts run, so that all failures show at once.
  const failed = parts()
    .filter(({ name }) => !without.includes(name))
    .filter((part) => !runPart(part));
  console.log(
    failed.length === 0 ? 'check passed' : `check failed: ${failed.map(({ name }) => name).join(', ')}`,
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
