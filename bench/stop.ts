// Who ends the command, by Ctrl-C or from outside, gets what there is so far, as where its browser dies.
import { constants } from 'node:os';

export class Stopped extends Error {
  /** As a shell has it of a process that a signal has ended. */
  readonly exitCode: number;

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`bench: stopped by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Rejects at the first signal. The same one again ends the process at once. */
export function stopped(): Promise<never> {
  const signalled = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => reject(new Stopped(signal)));
  });
  // Where nobody waits for it just then, who does so next is told.
  signalled.catch(() => undefined);
  return signalled;
}
