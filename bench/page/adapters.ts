// One adapter for all: whoever asks WebGPU for one gets the fast one, and what each was given is written down.
import { describeAdapter, isSoftware } from '../../src/backend/webgpu/device_info.ts';
import { type Contestant, type ContestantSource, Unsupported } from '../contestants/contestant.ts';
import type { Adapter } from '../results.ts';

const PREFERENCE = { powerPreference: 'high-performance' } as const;

function adapterOf(adapterInfo: GPUAdapterInfo): Adapter {
  const described = { adapterInfo };
  return {
    description: describeAdapter(described),
    software: isSoftware(described),
    vendor: adapterInfo.vendor,
    architecture: adapterInfo.architecture,
  };
}

export class SharedAdapter {
  /** What the benchmark itself gets, and the others should. */
  readonly adapter: Adapter;
  /** Contestants by name that got another. */
  readonly #strangers = new Map<string, string>();
  /** Who is at work: contestants are loaded and prepared one after the other. */
  #who: string | undefined;

  private constructor(gpu: GPU, adapter: Adapter) {
    this.adapter = adapter;
    const prototype = Object.getPrototypeOf(gpu) as GPU;
    const { requestAdapter } = prototype;
    const given = (name: string | undefined, got: Adapter): void => {
      if (name !== undefined && got.description !== adapter.description)
        this.#strangers.set(name, got.description);
    };
    const who = (): string | undefined => this.#who;
    prototype.requestAdapter = async function (options) {
      const asking = who();
      const got = await requestAdapter.call(this, { ...options, ...PREFERENCE });
      if (got !== null) given(asking, adapterOf(got.info));
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

  async #as<T>(name: string, task: () => Promise<T>): Promise<T> {
    this.#who = name;
    try {
      const result = await task();
      const stranger = this.#strangers.get(name);
      if (stranger !== undefined)
        throw new Error(`it took ${stranger}, the others ${this.adapter.description}`);
      return result;
    } finally {
      this.#who = undefined;
    }
  }

  /** A contestant that fails where it takes another adapter; one that cannot be loaded says so in each of its rows. */
  async load(source: ContestantSource): Promise<Contestant> {
    const { name } = source;
    try {
      const contestant = await this.#as(name, () => source.load());
      const { library, backend, version, gru, biases } = contestant;
      return {
        name,
        library,
        backend,
        version,
        gru,
        biases,
        prepare: (task) => this.#as(name, () => contestant.prepare(task)),
        dispose: () => contestant.dispose?.(),
      };
    } catch (error) {
      return absent(name, error);
    }
  }
}

/** Takes the place of a contestant that could not be loaded. @param name library and backend */
function absent(name: string, error: unknown): Contestant {
  const at = name.lastIndexOf(' ');
  const backend = (['webgpu', 'wasm', 'cpu'] as const).find((one) => one === name.slice(at + 1));
  if (backend === undefined) throw new Error(`expected "${name}" to end in a backend`, { cause: error });
  const message = `could not be loaded: ${error instanceof Error ? error.message : String(error)}`;
  return {
    name,
    library: name.slice(0, at),
    backend,
    version: 'not loaded',
    gru: 'reset after',
    biases: 2,
    prepare: () =>
      Promise.reject(error instanceof Unsupported ? new Unsupported(message) : new Error(message)),
  };
}
