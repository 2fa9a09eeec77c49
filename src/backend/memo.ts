// Tracks whether results that are kept from an earlier run (of memoised steps, or prefetched) are valid: they are as long as no argument that they depend
// on has changed. Each write gives a buffer a new, unique version.
import type { DeviceBuffer } from './backend.ts';

let versions = 0;

/** A version that no buffer has had before. */
export function newVersion(): number {
  return ++versions;
}

/** Gives buffers new versions after a write. */
export function markWritten(buffers: readonly DeviceBuffer[]): void {
  for (const buffer of buffers) buffer.version = newVersion();
}

/** The validity of the results of one group of steps. */
export class Memo {
  readonly #dependsOn: readonly number[];
  /** The versions of the arguments when the steps last ran; undefined if their results are invalid. */
  #versions: number[] | undefined;
  #suspended = 0;

  /** @param dependsOn The indices of the arguments that the steps depend on. */
  constructor(dependsOn: readonly number[]) {
    this.#dependsOn = dependsOn;
  }

  /** Whether the steps must run for these arguments. */
  isStale(args: readonly DeviceBuffer[]): boolean {
    const versions = this.#versions;
    return versions === undefined || this.#dependsOn.some((index, i) => args[index].version !== versions[i]);
  }

  /** Records that the steps ran with these arguments. */
  remember(args: readonly DeviceBuffer[]): void {
    if (this.#suspended === 0) this.#versions = this.#dependsOn.map((index) => args[index].version);
  }

  /** Runs an action that overwrites the results; they are invalid during and after it. */
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
