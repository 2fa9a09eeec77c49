// Tracks whether results of memoised and prefetched steps are valid: they are while the arguments that they depend on are
// unchanged. Each write gives a buffer a new, globally unique version, so equal versions mean equal contents.
import type { DeviceBuffer } from './backend.ts';

let versions = 0;

/** A version that no contents had before. */
export function newVersion(): number {
  return ++versions;
}

/** Gives buffers new versions, because their contents changed. */
export function markWritten(buffers: readonly DeviceBuffer[]): void {
  for (const buffer of buffers) buffer.version = newVersion();
}

export class Memo {
  readonly #dependsOn: readonly number[];
  readonly #hasSteps: boolean;
  /** The versions of the arguments when the steps last ran; undefined if their results are invalid. */
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

  /** Records that the steps ran with these arguments. */
  remember(args: readonly DeviceBuffer[]): void {
    if (this.#hasSteps && this.#suspended === 0)
      this.#versions = this.#dependsOn.map((index) => args[index].version);
  }

  /** Runs an action that overwrites the results using other arguments: they are invalid before, during and after it. */
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
