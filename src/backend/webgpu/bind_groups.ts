// The bind groups of a plan. A launch that binds arguments or results needs one for each set of buffers that they lie in.
// Launches that bind the same of them share a key, which is worked out once in a run, and not at all while they stay.
import { Recent } from '../../core/recent.ts';
import type { WebGPUBuffer } from './buffers.ts';

/** Sets of buffers whose bind groups are kept. */
const MAX_SETS = 64;

/** Launches that bind the same arguments and results. */
interface Alike {
  readonly launches: readonly number[];
  /** These arguments and results, as buffers of the plan. */
  readonly outside: readonly number[];
  /** The buffers of the last run, by their ids; undefined before the first. */
  ids: number[] | undefined;
  readonly known: Recent<readonly GPUBindGroup[]>;
}

export class BindGroups {
  /** Of each launch, for the buffers of the last run. */
  readonly current: GPUBindGroup[] = [];
  readonly #alike: readonly Alike[];
  readonly #make: (launch: number, outside: (buffer: number) => WebGPUBuffer) => GPUBindGroup;

  /** @param outside of each launch the arguments and results that it binds, as buffers of the plan. */
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
   * Makes `current` those of a run. @param outside where its arguments and results lie.
   * @param wanted which launches there are in it: all unless given.
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

/** Whether the buffers are others than those of the last run, whose ids are then replaced. */
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
