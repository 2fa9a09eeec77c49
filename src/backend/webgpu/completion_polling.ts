// Makes a browser notice at once that the GPU has finished. Browsers poll the device only now and then: Chrome 2 ms after the
// last command and then every millisecond, Firefox every 100 ms (its bug 1870699). Each command makes them poll, so while a
// result is awaited this sends a few that do nothing.

/** Error scopes at the start of a wait: their round trips together take about as long as Chrome waits before its first poll. */
const SCOPES_PER_WAIT = 8;
/**
 * After two waits in a row that outlast all their scopes, this many waits send none. Longer work gains little from polling, and
 * on a software adapter the round trips take CPU time from the work itself.
 */
const WAITS_WITHOUT_SCOPES = 15;
/** A wait of more milliseconds than this is so long that the cost of polling does not matter. */
const LONG_WAIT = 20;
/** Milliseconds between empty submits; Firefox raises nested timeouts to 4. */
const SUBMIT_INTERVAL = 1;

/** How to make the environment poll: not at all, by round trips of error scopes, or by empty submits. */
export type PollingMode = 'none' | 'scopes' | 'submits';

/** The globals that identify the environment. */
interface Globals {
  readonly window?: unknown;
  readonly WorkerGlobalScope?: unknown;
  readonly navigator?: { readonly userAgent?: string };
}

/** The mode for an environment. Outside browsers it is `none`: the event loop of Node polls the device itself. */
export function pollingModeFor({ window, WorkerGlobalScope, navigator }: Globals): PollingMode {
  const userAgent = navigator?.userAgent;
  if ((window === undefined && WorkerGlobalScope === undefined) || userAgent === undefined) return 'none';
  return /\bFirefox\//.test(userAgent) ? 'submits' : 'scopes';
}

export class CompletionPolling {
  readonly #device: GPUDevice;
  readonly #mode: PollingMode;
  /** Pending calls of `during`. */
  #waits = 0;
  /** Scopes that the current wait may still send. */
  #scopes = 0;
  /** Waits to come that send no scopes. */
  #waitsToSkip = 0;
  /** Consecutive waits that outlasted all their scopes. */
  #exhausted = 0;
  #isRunning = false;

  constructor(device: GPUDevice, mode: PollingMode = pollingModeFor(globalThis)) {
    this.#device = device;
    this.#mode = mode;
  }

  /** Polls until a promise of the device settles. Concurrent waits share the scopes of the first one. */
  async during<T>(result: Promise<T>): Promise<T> {
    if (this.#mode === 'none') return result;
    this.#waits++;
    if (this.#waits === 1) {
      if (this.#waitsToSkip > 0) this.#waitsToSkip--;
      else this.#scopes = SCOPES_PER_WAIT;
    }
    if (!this.#isRunning) void this.#poll();
    const start = performance.now();
    try {
      return await result;
    } finally {
      this.#waits--;
      if (this.#waits === 0) this.#adapt(performance.now() - start);
    }
  }

  /** Decides on later waits by one that took so many milliseconds. */
  #adapt(milliseconds: number): void {
    const isLong = milliseconds > LONG_WAIT;
    if (this.#scopes > 0 || isLong) this.#exhausted = 0;
    if (isLong) this.#waitsToSkip = 0;
    this.#scopes = 0;
  }

  async #poll(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#waits > 0 && (this.#scopes > 0 || this.#mode === 'submits')) {
        if (this.#mode === 'submits') {
          await new Promise((resolve) => setTimeout(resolve, SUBMIT_INTERVAL));
          this.#device.queue.submit([]);
        } else {
          this.#scopes--;
          if (this.#scopes === 0 && ++this.#exhausted === 2) {
            this.#exhausted = 0;
            this.#waitsToSkip = WAITS_WITHOUT_SCOPES;
          }
          // An empty scope, popped at once, leaves the application's scopes as they are. The answer does not wait for the GPU.
          this.#device.pushErrorScope('validation');
          await this.#device.popErrorScope();
        }
      }
    } catch {
      // A lost device rejects the awaited promise, which reports the failure.
    } finally {
      this.#isRunning = false;
    }
  }
}
