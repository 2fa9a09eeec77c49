// The bind groups of a plan's launches. A launch needs one bind group for each set of GPU buffers that its arguments and outputs
// may be in. Launches that bind the same arguments and outputs form a group, looked up only if one of its buffers has changed.
import { LRUCache } from '../../core/lru_cache.ts';
import type { WebGPUBuffer } from './buffers.ts';

/** Sets of buffers whose bind groups stay cached. */
const MAX_CACHED_SETS = 64;

/** Launches that bind the same external buffers: arguments and outputs of the plan. */
interface LaunchGroup {
  readonly launches: readonly number[];
  /** The external buffers, as indices into the plan's buffers. */
  readonly external: readonly number[];
  /** The ids of the GPU buffers in the previous run; undefined before the first run. */
  ids: number[] | undefined;
  /** The bind groups of the launches, by the ids of the GPU buffers. */
  readonly cache: LRUCache<readonly GPUBindGroup[]>;
}

/** The buffers of a run's arguments and outputs, by their index into the plan's buffers. */
export type ExternalBuffers = (buffer: number) => WebGPUBuffer;

export class BindGroups {
  /** The bind group of each launch for the buffers of the latest run. */
  readonly current: GPUBindGroup[] = [];
  readonly #groups: readonly LaunchGroup[];
  readonly #make: (launch: number, bufferOf: ExternalBuffers) => GPUBindGroup;

  /** @param external The arguments and outputs that each launch binds, as indices into the plan's buffers. */
  constructor(
    external: readonly (readonly number[])[],
    make: (launch: number, bufferOf: ExternalBuffers) => GPUBindGroup,
  ) {
    this.#make = make;
    const launchesBy = new Map<string, number[]>();
    external.forEach((buffers, launch) => {
      const key = buffers.join();
      launchesBy.set(key, [...(launchesBy.get(key) ?? []), launch]);
    });
    this.#groups = [...launchesBy.values()].map((launches) => ({
      launches,
      external: external[launches[0]],
      ids: undefined,
      cache: new LRUCache<readonly GPUBindGroup[]>(MAX_CACHED_SETS),
    }));
  }

  /** Updates `current` for a run. @param isLaunched Whether the run includes a launch. */
  update(bufferOf: ExternalBuffers, isLaunched: (launch: number) => boolean): void {
    for (const group of this.#groups) {
      const { launches, cache } = group;
      if (!launches.some(isLaunched)) continue;
      if (!updateIds(group, bufferOf)) continue;
      const bindGroups = cache.get(String(group.ids), () =>
        launches.map((launch) => this.#make(launch, bufferOf)),
      );
      launches.forEach((launch, i) => (this.current[launch] = bindGroups[i]));
    }
  }

  clear(): void {
    for (const group of this.#groups) {
      group.cache.clear();
      group.ids = undefined;
    }
    this.current.length = 0;
  }
}

/** Updates the ids of a group's buffers. @returns Whether any of them changed. */
function updateIds(group: LaunchGroup, bufferOf: ExternalBuffers): boolean {
  const { external } = group;
  let hasChanged = group.ids === undefined;
  const ids = (group.ids ??= external.map(() => 0));
  for (let i = 0; i < external.length; i++) {
    const { id } = bufferOf(external[i]);
    if (ids[i] === id) continue;
    ids[i] = id;
    hasChanged = true;
  }
  return hasChanged;
}
