// hasChanged in temporary git repositories.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { hasChanged } from '../setup/changed.mjs';

let folder: string;
const git = (...args: readonly string[]): void => {
  const who = ['-c', 'user.name=test', '-c', 'user.email=test@localhost'];
  execFileSync('git', [...who, ...args], { cwd: folder, stdio: 'ignore' });
};
function write(path: string, content: string): void {
  writeFileSync(join(folder, path), content);
}
function commit(path: string, content: string): void {
  write(path, content);
  git('add', '.');
  git('commit', '-m', path);
}
const changed = (reference: string): boolean => hasChanged(['bench', 'test/bench'], reference, folder);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatewise-changed-'));
  mkdirSync(join(folder, 'bench'));
  git('init', '-b', 'main');
  commit('bench/a', '1');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('with a single commit everything has changed', () => {
  expect(changed('main')).toBe(true);
  expect(changed('nowhere')).toBe(true);
});

test('on the branch, or without one, changes of the last commit and of the working tree count', () => {
  commit('other', '1');
  for (const reference of ['main', 'nowhere']) {
    expect(changed(reference)).toBe(false);
    write('bench/a', '2');
    expect(changed(reference)).toBe(true);
    write('bench/a', '1');
    write('bench/untracked', '');
    expect(changed(reference)).toBe(true);
    rmSync(join(folder, 'bench/untracked'));
  }
  commit('bench/a', '2');
  expect(changed('main')).toBe(true);
});

test('on another branch its own commits count, and those of the reference do not', () => {
  commit('other', '1');
  git('checkout', '-b', 'side');
  commit('other', '2');
  commit('other', '3');
  expect(changed('main')).toBe(false);
  git('checkout', 'main');
  commit('bench/a', '2');
  git('checkout', 'side');
  expect(changed('main')).toBe(false);
  commit('bench/a', '3');
  commit('other', '4');
  expect(changed('main')).toBe(true);
});

test('outside of a repository the answer is true', () => {
  rmSync(join(folder, '.git'), { recursive: true });
  expect(changed('main')).toBe(true);
});
