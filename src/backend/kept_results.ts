// What a plan's kept and early steps made is good as long as the arguments that it was made of hold the same. Contents are told
// apart by a number: each buffer begins with one of its own, and takes another whenever something writes it.
import type { DeviceBuffer } from './backend.ts';

let versions = 0;

/** A number that no contents had so far. */
export function newVersion(): number {
  return ++versions;
}

/** Says that something else is in these buffers from now on. */
export function markWritten(buffers: readonly DeviceBuffer[]): void {
  for (const buffer of buffers) buffer.version = newVersion();
}

export class KeptResults {
  readonly #from: readonly number[];
  readonly #any: boolean;
  /** What the arguments held when the steps last ran; undefined where that does not count any more. */
  #versions: number[] | undefined;
  #aside = 0;

  /** @param any whether there are such steps. @param from the arguments that what they make follows from */
  constructor(any: boolean, from: readonly number[]) {
    this.#any = any;
    this.#from = from;
  }

  /** Whether the steps must run, with these arguments. */
  isStale(args: readonly DeviceBuffer[]): boolean {
    if (!this.#any) return false;
    const known = this.#versions;
    return known === undefined || this.#from.some((index, i) => args[index].version !== known[i]);
  }

  /** They have run, with these arguments. */
  remember(args: readonly DeviceBuffer[]): void {
    // While others write over the results, no run's are good for the next one.
    if (this.#any && this.#aside === 0) this.#versions = this.#from.map((index) => args[index].version);
  }

  /** For what runs steps with other arguments, on and off: nothing that was kept before or is meanwhile is good. */
  async aside<T>(action: () => Promise<T>): Promise<T> {
    this.#aside++;
    this.#versions = undefined;
    try {
      return await action();
    } finally {
      this.#aside--;
    }
  }
}
