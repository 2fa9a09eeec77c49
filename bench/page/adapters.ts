// One adapter for all contestants: each request gets the fast one, and a contestant that gets another fails.
import { describeAdapter, isSoftware } from '../../src/backend/webgpu/device_info.ts';
import { loadContestant, type Contestant, type ContestantSource } from '../contestants/contestant.ts';
import type { Adapter } from '../results.ts';

const PREFERENCE = { powerPreference: 'high-performance' } as const;

export const adapterOf = (adapterInfo: GPUAdapterInfo): Adapter => ({
  description: describeAdapter({ adapterInfo }),
  software: isSoftware({ adapterInfo }),
});

export interface SharedAdapter {
  readonly adapter: Adapter;
  load(source: ContestantSource): Promise<Contestant>;
}

/** Undefined if there is no WebGPU, or no adapter. */
export async function shareAdapter(): Promise<SharedAdapter | undefined> {
  // The types know of no browser without it.
  const gpu = navigator.gpu as GPU | undefined;
  const found = (await gpu?.requestAdapter(PREFERENCE)) ?? undefined;
  if (gpu === undefined || found === undefined) return undefined;
  const adapter = adapterOf(found.info);
  /** Adapters given to the contestant at work; contestants are loaded and prepared one after the other. */
  let given: string[] = [];
  const prototype = Object.getPrototypeOf(gpu) as GPU;
  const { requestAdapter } = prototype;
  prototype.requestAdapter = async function (options) {
    const got = await requestAdapter.call(this, { ...options, ...PREFERENCE });
    if (got !== null) given.push(adapterOf(got.info).description);
    return got;
  };
  const watched = async <T>(task: () => Promise<T>): Promise<T> => {
    given = [];
    const result = await task();
    const other = given.find((one) => one !== adapter.description);
    if (other !== undefined) throw new Error(`it took ${other}, the others ${adapter.description}`);
    return result;
  };
  const load = async (source: ContestantSource): Promise<Contestant> => {
    const contestant = await loadContestant({ ...source, load: () => watched(() => source.load()) });
    return { ...contestant, prepare: (task) => watched(() => contestant.prepare(task)) };
  };
  return { adapter, load };
}
