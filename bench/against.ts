// Builds the working tree and another commit, each by its own `vite build`, for a run that compares them.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Two builds, as paths of their index.js. */
export interface Builds {
  /** The commit's abbreviated hash. */
  readonly commit: string;
  readonly before: string;
  readonly after: string;
  readonly folder: string;
}

/** Runs a program. @throws Error with what it was to do, and what it printed last. */
function run(what: string, program: string, args: readonly string[], cwd: string): string {
  try {
    const env = { ...process.env, VITEST: undefined, NODE_ENV: undefined };
    return execFileSync(program, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    const said = `${stdout}${stderr}`.trim().split('\n').slice(-20).join('\n');
    throw new Error(`--against: ${what} failed:\n${said}`, { cause: error });
  }
}

const git = (...args: readonly string[]): string =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

/** The abbreviated hash of a commit. */
function resolveCommit(commit: string): string {
  try {
    return git('rev-parse', '--verify', '--short', '--end-of-options', `${commit}^{commit}`);
  } catch (error) {
    throw new Error(`--against: there is no commit "${commit}" in this repository`, { cause: error });
  }
}

/** Checks out the commit without history. It takes the working tree's dependencies if the lock files are the same. */
function checkOut(commit: string, folder: string): void {
  mkdirSync(folder);
  const archive = execFileSync('git', ['archive', commit], { cwd: root, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  const lock = (of: string): string => readFileSync(join(of, 'package-lock.json'), 'utf8');
  const installed = join(root, 'node_modules');
  if (existsSync(installed) && lock(root) === lock(folder))
    symlinkSync(installed, join(folder, 'node_modules'), 'junction');
  else {
    console.error(`installing the dependencies of ${commit}`);
    run(`npm ci of ${commit}`, 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], folder);
  }
}

function build(what: string, source: string, out: string): string {
  console.error(`building ${what}`);
  const vite = join(source, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', '--outDir', out, '--emptyOutDir', '--logLevel', 'warn'];
  run(`the build of ${what}`, process.execPath, args, source);
  const index = join(out, 'index.js');
  if (existsSync(index)) return index;
  throw new Error(`--against: the build of ${what} has no index.js`);
}

/** Both builds, in a temporary folder that is deleted when this process ends. */
export function buildBoth(name: string): Builds {
  const commit = resolveCommit(name);
  const folder = mkdtempSync(join(tmpdir(), 'gatewise-against-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const source = join(folder, 'source');
  checkOut(commit, source);
  const before = build(commit, source, join(folder, 'before'));
  return { commit, folder, before, after: build('the working tree', root, join(folder, 'after')) };
}
