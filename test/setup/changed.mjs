// Whether a part of the project differs from what it was, so that tests of that part alone need to run only then.
import { spawnSync } from 'node:child_process';

import { root } from './dependencies.mjs';

/**
 * Whether files under some paths, those of the working tree and untracked ones included, differ from the merge base with a
 * branch, or where there is no such branch (a fresh clone of one commit's history) from the commit before. Where git gives
 * no answer: yes.
 * @param {readonly string[]} paths below the root
 * @param {string} reference
 * @param {string} cwd
 * @returns {boolean}
 */
export function hasChanged(paths, reference = 'origin/main', cwd = root) {
  const git = (/** @type {string[]} */ ...args) => {
    const { status, stdout } = spawnSync('git', args, { cwd, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : undefined;
  };
  const head = git('rev-parse', 'HEAD');
  const common = git('merge-base', reference, 'HEAD');
  // On the branch itself the merge base is HEAD, which would compare with nothing.
  const base = common === undefined || common === head ? git('rev-parse', '--verify', 'HEAD~1') : common;
  if (base === undefined) return true;
  const differing = git('diff', '--name-only', base, '--', ...paths);
  const untracked = git('ls-files', '--others', '--exclude-standard', '--', ...paths);
  return differing === undefined || untracked === undefined || differing + untracked !== '';
}
