// What a plan's kept steps made is good as long as the arguments that it was made of hold the same. Contents are told
// apart by a number: each buffer begins with one of its own, and takes another whenever something writes it.
import type { Plan } from '../plan/plan.ts';
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
  readonly #settled: readonly number[];
  readonly #hasKept: boolean;
  /** What the settled arguments held when the kept steps last ran; undefined where that does not count any more. */
  #versions: number[] | undefined;
  #aside = 0;

  constructor({ steps, settled }: Plan) {
    this.#settled = settled;
    this.#hasKept = steps.some(({ kept }) => kept);
  }

  /** Whether the kept steps must run, with these arguments. */
  isStale(args: readonly DeviceBuffer[]): boolean {
    if (!this.#hasKept) return false;
    const known = this.#versions;
    return known === undefined || this.#settled.some((index, i) => args[index].version !== known[i]);
  }

  /** They have run, with these arguments. */
  remember(args: readonly DeviceBuffer[]): void {
    // While others write over the results, no run's are good for the next one.
    if (this.#hasKept && this.#aside === 0)
      this.#versions = this.#settled.map((index) => args[index].version);
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
