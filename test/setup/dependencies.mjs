// Installs the dependencies where they are missing or older than package-lock.json. Imports nothing but Node's modules.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = [20, 19];
// Not import.meta.dirname: a Node that is too old for it must reach the error that says so.
export const root = resolve(fileURLToPath(import.meta.url), '../../..');

/**
 * Runs `npm ci` where the stamp in node_modules is not that of the present package-lock.json.
 * @param {string} folder below the root, of a package with a lock file: the benchmark has its own
 */
export function ensureDependencies(folder = '.') {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldest = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major < oldest || (major === oldest && minor < oldestMinor)) {
    throw new Error(
      `Expected Node ${OLDEST_NODE.join('.')} or newer, this is ${process.versions.node}: update Node.`,
    );
  }
  const cwd = join(root, folder);
  const lock = createHash('sha256')
    .update(readFileSync(join(cwd, 'package-lock.json')))
    .digest('hex');
  const stamp = join(cwd, 'node_modules', '.gatewise-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;

  console.log(`dependencies: installing with npm ci${folder === '.' ? '' : ` in ${folder}`} ...`);
  const npm = process.env['npm_execpath'];
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  /** @type {import('node:child_process').SpawnSyncOptions} */
  const options = { cwd, stdio: ['ignore', 'ignore', 'inherit'] };
  const { status, error } =
    npm === undefined
      ? spawnSync('npm', args, { ...options, shell: process.platform === 'win32' })
      : spawnSync(process.execPath, [npm, ...args], options);
  if (status !== 0)
    throw new Error(`npm ci failed (${error?.message ?? `exit ${status}`}): its message is above.`);
  writeFileSync(stamp, lock);
}

/** The script of a package's command `name`, to run with `node`: no shell, the same on every system. */
export function command(/** @type {string} */ packageName, name = packageName) {
  const folder = join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[name]);
}

/**
 * Sets up the dependencies, then runs a TypeScript file with this process's arguments and exits with its status. Ctrl-C
 * reaches the child too, which is in the same process group and handles it. The end of this process ends the child.
 * @param {string} file
 * @param {readonly string[]} folders of more packages that it needs
 */
export function launch(file, folders = []) {
  try {
    for (const folder of ['.', ...folders]) ensureDependencies(folder);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), join(root, file), ...process.argv.slice(2)],
    { stdio: 'inherit' },
  );
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill());
  child.on('exit', (status, signal) => process.exit(status ?? (signal === 'SIGINT' ? 130 : 1)));
}
