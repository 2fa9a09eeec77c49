// Browsers poll a device for completion only rarely: Chrome 2 ms after the last command and then every millisecond, Firefox every
// 100 ms (its bug 1870699). A new command makes them poll at once, so these nudges send a few empty commands while a result is
// awaited.

/** Round trips at the start of a wait: together they take about as long as Chrome's first poll. */
const QUICK = 8;
/**
 * After two successive waits that used up all quick nudges, skip them for this many waits: they help long waits little, and where
 * the CPU does the device's work they slow it down.
 */
const REST = 15;
/** Waits longer than this many milliseconds make the cost of nudges negligible. */
const LONG = 20;
/** Milliseconds between nudges in Firefox, which clamps the timer to 4 after a few. */
const SLOW = 1;

/** How often the environment polls the device: continuously, or as described above. */
export type Looks = 'always' | 'often' | 'rarely';

/** Globals that identify the environment. */
interface Scope {
  readonly window?: unknown;
  readonly WorkerGlobalScope?: unknown;
  readonly navigator?: { readonly userAgent?: string };
}

/** Outside browsers the event loop polls the device itself. */
export function looksOf({ window, WorkerGlobalScope, navigator }: Scope): Looks {
  const userAgent = navigator?.userAgent;
  if ((window === undefined && WorkerGlobalScope === undefined) || userAgent === undefined) return 'always';
  return /\bFirefox\//.test(userAgent) ? 'rarely' : 'often';
}

export class Nudges {
  readonly #device: GPUDevice;
  readonly #looks: Looks;
  #waiting = 0;
  #quick = 0;
  #rest = 0;
  /** Successive waits that used up all quick nudges. */
  #vain = 0;
  #running = false;

  constructor(device: GPUDevice, looks: Looks = looksOf(globalThis)) {
    this.#device = device;
    this.#looks = looks;
  }

  /** Awaits the device's answer, with nudges. */
  async during<T>(answer: Promise<T>): Promise<T> {
    if (this.#looks === 'always') return answer;
    this.#waiting++;
    // Waits that begin during another share its remaining nudges.
    if (this.#waiting === 1) {
      if (this.#rest > 0) this.#rest--;
      else this.#quick = QUICK;
    }
    if (!this.#running) void this.#run();
    const began = performance.now();
    try {
      return await answer;
    } finally {
      this.#waiting--;
      if (this.#waiting === 0) this.#end(performance.now() - began);
    }
  }

  /** Adapts to a wait of this many milliseconds. */
  #end(took: number): void {
    // Unused nudges mean that the answer came early enough.
    if (this.#quick > 0 || took > LONG) this.#vain = 0;
    if (took > LONG) this.#rest = 0;
    this.#quick = 0;
  }

  /** Nudges for all pending waits, until the last one ends. */
  async #run(): Promise<void> {
    this.#running = true;
    try {
      await this.#send();
    } catch {
      // A lost device rejects the pending waits itself.
    } finally {
      this.#running = false;
    }
  }

  async #send(): Promise<void> {
    while (this.#waiting > 0 && (this.#quick > 0 || this.#looks === 'rarely')) {
      if (this.#looks === 'rarely') {
        await new Promise((resolve) => setTimeout(resolve, SLOW));
        this.#device.queue.submit([]);
      } else {
        this.#quick--;
        if (this.#quick === 0 && ++this.#vain === 2) {
          this.#vain = 0;
          this.#rest = REST;
        }
        // An empty error scope, popped at once: it leaves the application's scopes unchanged and does not wait for the GPU.
        this.#device.pushErrorScope('validation');
        await this.#device.popErrorScope();
      }
    }
  }
}
