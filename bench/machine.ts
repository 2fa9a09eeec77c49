// The commit and the CPU of a run. Only the command knows them; a page cannot tell.
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';

import type { Machine } from './results.ts';

/** Defined by `bench:pack`, whose script runs without a repository. */
declare const GATEWISE_COMMIT: string | undefined;

/** @returns Undefined if there is no repository, or no git. */
export function describeCommit(): string | undefined {
  if (typeof GATEWISE_COMMIT === 'string') return GATEWISE_COMMIT === '' ? undefined : GATEWISE_COMMIT;
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}

export function describeMachine(): Machine {
  const [commit, cpu] = [describeCommit(), cpus()[0]?.model.trim()];
  return { ...(commit === undefined ? {} : { commit }), ...(cpu === undefined || cpu === '' ? {} : { cpu }) };
}
