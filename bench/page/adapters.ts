// One adapter for all: whoever asks WebGPU for an adapter gets the fast one, and a contestant that gets another fails.
import { describeAdapter, isSoftware } from '../../src/backend/webgpu/device_info.ts';
import { loadContestant, type Contestant, type ContestantSource } from '../contestants/contestant.ts';
import type { Adapter } from '../results.ts';

const PREFERENCE = { powerPreference: 'high-performance' } as const;

export function adapterOf(adapterInfo: GPUAdapterInfo): Adapter {
  const described = { adapterInfo };
  return { description: describeAdapter(described), software: isSoftware(described) };
}

export class SharedAdapter {
  readonly adapter: Adapter;
  /** Adapters given to the contestant at work; contestants are loaded and prepared one after the other. */
  #given: string[] = [];

  private constructor(gpu: GPU, adapter: Adapter) {
    this.adapter = adapter;
    const prototype = Object.getPrototypeOf(gpu) as GPU;
    const { requestAdapter } = prototype;
    const onGiven = (info: GPUAdapterInfo): void => void this.#given.push(adapterOf(info).description);
    prototype.requestAdapter = async function (options) {
      const got = await requestAdapter.call(this, { ...options, ...PREFERENCE });
      if (got !== null) onGiven(got.info);
      return got;
    };
  }

  /** Undefined where there is no WebGPU, or no adapter. */
  static async find(): Promise<SharedAdapter | undefined> {
    // The types know of no browser without it.
    const gpu = navigator.gpu as GPU | undefined;
    const adapter = await gpu?.requestAdapter(PREFERENCE);
    if (gpu === undefined || adapter === undefined || adapter === null) return undefined;
    return new SharedAdapter(gpu, adapterOf(adapter.info));
  }

  async #watched<T>(task: () => Promise<T>): Promise<T> {
    this.#given = [];
    const result = await task();
    const { description } = this.adapter;
    const other = this.#given.find((one) => one !== description);
    if (other !== undefined) throw new Error(`it took ${other}, the others ${description}`);
    return result;
  }

  async load(source: ContestantSource): Promise<Contestant> {
    const load = (): ReturnType<ContestantSource['load']> => this.#watched(() => source.load());
    const contestant = await loadContestant({ ...source, load });
    return { ...contestant, prepare: (task) => this.#watched(() => contestant.prepare(task)) };
  }
}
