// Browsers look only now and then whether a device has finished: Chrome 2 ms after the last command and then each
// millisecond, Firefox each 100 ms (its bug 1870699). A command that arrives makes them look at once, so while a result is
// waited for the device is sent a few that do nothing.

/** Round trips right after a wait begins: together they take about as long as Chrome's first look is away. */
const QUICK = 8;
/**
 * Waits that go without, once all of these came too early in two waits in turn: what takes longer gains little by them, and
 * where the CPU does the device's work they take its time.
 */
const REST = 15;
/** Milliseconds of a wait beside which they are nothing. */
const LONG = 20;
/** Milliseconds between what Firefox is sent; it makes them 4 after a few. */
const SLOW = 1;

/** How a program's surroundings find out that a device has finished: by asking it all the time, or as above. */
export type Looks = 'always' | 'often' | 'rarely';

/** What tells where a program runs. */
interface Scope {
  readonly window?: unknown;
  readonly WorkerGlobalScope?: unknown;
  readonly navigator?: { readonly userAgent?: string };
}

/** Outside of browsers the event loop itself asks the device. */
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
  /** Waits in turn for which all came too early. */
  #vain = 0;
  #running = false;

  constructor(device: GPUDevice, looks: Looks = looksOf(globalThis)) {
    this.#device = device;
    this.#looks = looks;
  }

  /** What the device answers, as soon as it can be had. */
  async during<T>(answer: Promise<T>): Promise<T> {
    if (this.#looks === 'always') return answer;
    this.#waiting++;
    // Those that begin while others wait share what is left.
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

  /** Learns from a wait of so many milliseconds. */
  #end(took: number): void {
    // What was left of them was not needed.
    if (this.#quick > 0 || took > LONG) this.#vain = 0;
    if (took > LONG) this.#rest = 0;
    this.#quick = 0;
  }

  /** For all who wait, until the last of them has its answer. */
  async #run(): Promise<void> {
    this.#running = true;
    try {
      await this.#send();
    } catch {
      // A device that takes no command any more says so to whoever waits.
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
        // A scope of no commands, popped at once: the application's own are as they were. It answers without waiting for the GPU.
        this.#device.pushErrorScope('validation');
        await this.#device.popErrorScope();
      }
    }
  }
}
