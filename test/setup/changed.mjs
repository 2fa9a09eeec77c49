// Whether a part of the project has changed, so that tests of that part alone run only then.
import { spawnSync } from 'node:child_process';

import { root } from './dependencies.mjs';

/**
 * Whether files under some paths, also uncommitted and untracked ones, differ from the merge base with a branch. Where there
 * is no such branch (a shallow clone), whether they differ from the commit before. Where git gives no answer: true.
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
  // On the branch itself the merge base is HEAD, so the commit before is the base.
  const base = common === undefined || common === head ? git('rev-parse', '--verify', 'HEAD~1') : common;
  if (base === undefined) return true;
  const differing = git('diff', '--name-only', base, '--', ...paths);
  const untracked = git('ls-files', '--others', '--exclude-standard', '--', ...paths);
  return differing === undefined || untracked === undefined || differing + untracked !== '';
}
