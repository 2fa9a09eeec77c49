// Caches a plan's bind groups. A launch that binds arguments or results needs one bind group per set of buffers. Launches that
// bind the same arguments and results share a cache key, which a run recomputes only when those buffers change.
import { Recent } from '../../core/recent.ts';
import type { WebGPUBuffer } from './buffers.ts';

/** Cache capacity: sets of buffers. */
const MAX_SETS = 64;

/** Launches that bind the same arguments and results. */
interface Alike {
  readonly launches: readonly number[];
  /** The arguments and results, as buffer indices of the plan. */
  readonly outside: readonly number[];
  /** Buffer ids in the last run; undefined before the first. */
  ids: number[] | undefined;
  readonly known: Recent<readonly GPUBindGroup[]>;
}

export class BindGroups {
  /** The bind group of each launch for the buffers of the last run. */
  readonly current: GPUBindGroup[] = [];
  readonly #alike: readonly Alike[];
  readonly #make: (launch: number, outside: (buffer: number) => WebGPUBuffer) => GPUBindGroup;

  /** @param outside For each launch, the arguments and results that it binds, as buffer indices of the plan. */
  constructor(
    outside: readonly (readonly number[])[],
    make: (launch: number, outside: (buffer: number) => WebGPUBuffer) => GPUBindGroup,
  ) {
    this.#make = make;
    const alike = new Map<string, { readonly outside: readonly number[]; readonly launches: number[] }>();
    outside.forEach((buffers, launch) => {
      const key = buffers.join();
      const known = alike.get(key);
      if (known === undefined) alike.set(key, { outside: buffers, launches: [launch] });
      else known.launches.push(launch);
    });
    this.#alike = [...alike.values()].map(({ outside: buffers, launches }) => ({
      launches,
      outside: buffers,
      ids: undefined,
      known: new Recent<readonly GPUBindGroup[]>(MAX_SETS),
    }));
  }

  /**
   * Updates `current` for a run. @param outside Maps an argument or result to its buffer.
   * @param wanted Selects the launches in the run; all by default.
   */
  update(outside: (buffer: number) => WebGPUBuffer, wanted?: (launch: number) => boolean): void {
    for (const alike of this.#alike) {
      if (wanted !== undefined && !alike.launches.some(wanted)) continue;
      if (!hasMoved(alike, outside)) continue;
      const groups = alike.known.get(String(alike.ids), () =>
        alike.launches.map((launch) => this.#make(launch, outside)),
      );
      alike.launches.forEach((launch, i) => (this.current[launch] = groups[i]));
    }
  }

  clear(): void {
    for (const alike of this.#alike) {
      alike.known.clear();
      alike.ids = undefined;
    }
    this.current.length = 0;
  }
}

/** Whether the buffers differ from those of the last run; if so, replaces the ids. */
function hasMoved(alike: Alike, bufferOf: (buffer: number) => WebGPUBuffer): boolean {
  const { outside } = alike;
  let moved = alike.ids === undefined;
  const ids = (alike.ids ??= outside.map(() => 0));
  for (let i = 0; i < outside.length; i++) {
    const { id } = bufferOf(outside[i]);
    if (ids[i] === id) continue;
    ids[i] = id;
    moved = true;
  }
  return moved;
}
