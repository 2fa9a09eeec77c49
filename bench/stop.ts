// Who ends the command, by Ctrl-C or from outside, gets what there is so far, as where its browser dies.
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export class Stopped extends Error {
  /** As a shell has it of a process that a signal has ended. */
  readonly exitCode: number;

  constructor(signal: (typeof SIGNALS)[number]) {
    super(`bench: stopped by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Listens to the signals until it is disposed of. */
export class Stop implements Disposable {
  /** Rejects at the first signal. The same one again ends the process at once. */
  readonly signalled: Promise<never>;
  readonly #listeners: readonly (readonly [signal: string, listener: () => void])[];

  constructor() {
    let reject: (reason: Stopped) => void = () => undefined;
    this.signalled = new Promise((_, rejectIt) => (reject = rejectIt));
    // Where nobody waits for it just then, who does so next is told.
    this.signalled.catch(() => undefined);
    this.#listeners = SIGNALS.map((signal) => [signal, () => reject(new Stopped(signal))]);
    for (const [signal, listener] of this.#listeners) process.once(signal, listener);
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }
}
