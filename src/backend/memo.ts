// Results of memoised and prefetched steps stay valid while the arguments that they depend on are unchanged. Contents are told
// apart by a version: each buffer begins with one of its own, and takes a new one whenever something writes it.
import type { DeviceBuffer } from './backend.ts';

let versions = 0;

/** A version that no contents had so far. */
export function newVersion(): number {
  return ++versions;
}

/** Gives buffers new versions: something else is in them from now on. */
export function markWritten(buffers: readonly DeviceBuffer[]): void {
  for (const buffer of buffers) buffer.version = newVersion();
}

export class Memo {
  readonly #dependsOn: readonly number[];
  readonly #hasSteps: boolean;
  /** The versions of the arguments when the steps last ran; undefined where their results are not valid. */
  #versions: number[] | undefined;
  #suspended = 0;

  /** @param hasSteps Whether the plan has such steps. @param dependsOn The arguments that they depend on. */
  constructor(hasSteps: boolean, dependsOn: readonly number[]) {
    this.#hasSteps = hasSteps;
    this.#dependsOn = dependsOn;
  }

  /** Whether the steps must run for these arguments. */
  isStale(args: readonly DeviceBuffer[]): boolean {
    if (!this.#hasSteps) return false;
    const known = this.#versions;
    return known === undefined || this.#dependsOn.some((index, i) => args[index].version !== known[i]);
  }

  /** Records that the steps have run with these arguments. */
  remember(args: readonly DeviceBuffer[]): void {
    if (this.#hasSteps && this.#suspended === 0)
      this.#versions = this.#dependsOn.map((index) => args[index].version);
  }

  /** Runs an action that overwrites the results with those of other arguments: they are invalid before, during and after it. */
  async suspend<T>(action: () => Promise<T>): Promise<T> {
    this.#suspended++;
    this.#versions = undefined;
    try {
      return await action();
    } finally {
      this.#suspended--;
    }
  }
}
