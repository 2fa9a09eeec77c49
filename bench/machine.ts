// What a run ran on and what it ran, as far as only the command knows: a page is told of neither.
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';

import type { Machine } from './results.ts';

/** Put in place by `bench:pack`, beside whose script there is no repository. */
declare const GATEWISE_COMMIT: string | undefined;

/** @returns undefined where there is no repository, or no git. */
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
