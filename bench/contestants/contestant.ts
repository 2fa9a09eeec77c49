// The interface of a contestant: a library on a backend.
import type { Task } from '../data.ts';

export type BackendName = 'webgpu' | 'wasm' | 'cpu';

/** A prepared workload: weights and constant inputs are in the backend's memory. */
export interface Job {
  /** Queues one run. */
  run(): void | Promise<void>;
  /**
   * The result of the latest run, on the CPU, once all queued work is done: outputs of a sequence, of a stream's step,
   * the loss of a training step (1), a product. In the library's own layout.
   */
  read(): Promise<Float32Array>;
  /** Brings the result of `read` into the workload's layout: time first, then rows. Absent if it has that layout. */
  readonly arrange?: (values: Float32Array) => Float32Array;
  dispose(): void;
}

/** How a library's layers differ from PyTorch's. */
export interface Variant {
  /** Its GRU multiplies by the reset gate before the product. */
  readonly resetBefore?: boolean;
  /** Its LSTM trains one bias per gate, where PyTorch's two move twice as far in a step of Adam. */
  readonly oneBias?: boolean;
}

interface Identity {
  /** Library and backend, such as `TF.js webgpu`. */
  readonly name: string;
  readonly library: string;
  readonly backend: BackendName;
}

/** A library that has been loaded. */
export interface Loaded extends Variant {
  /** The library's version, and the settings that matter. */
  readonly version: string;
  /** @throws Unsupported where the library cannot do the workload. */
  prepare(task: Task): Promise<Job>;
  dispose?(): void;
}

export interface Contestant extends Identity, Loaded {}

/** Loads a contestant's library, when it takes part. */
export interface ContestantSource extends Identity {
  /** The library's key for `--peers`. */
  readonly key: string;
  load(): Promise<Loaded>;
}

/** What a library cannot do, in a few words, for its row. */
export class Unsupported extends Error {}

/** A contestant; one that cannot be loaded says why in each of its rows. */
export async function loadContestant(source: ContestantSource): Promise<Contestant> {
  const { name, library, backend } = source;
  try {
    const { version, resetBefore = false, oneBias = false, ...loaded } = await source.load();
    return { name, library, backend, version, resetBefore, oneBias, ...loaded };
  } catch (error) {
    const message = `could not be loaded: ${error instanceof Error ? error.message : String(error)}`;
    const failure = error instanceof Unsupported ? new Unsupported(message) : new Error(message);
    return { name, library, backend, version: 'not loaded', prepare: () => Promise.reject(failure) };
  }
}

/** A function for each kind of task that makes a job of it. */
type Makers<L> = {
  readonly [K in Task['kind']]: (library: L, task: Extract<Task, { kind: K }>) => Job | Promise<Job>;
};

export const preparing =
  <L>(library: L, makers: Makers<L>) =>
  async (task: Task): Promise<Job> =>
    (makers[task.kind] as (library: L, task: Task) => Job | Promise<Job>)(library, task);

/** A job whose runs give one result each, which the next run frees. */
export function jobOf<T extends { dispose(): void }>(
  run: () => T,
  read: (result: T) => Promise<ArrayLike<number>>,
  free: readonly (() => void)[],
  submit?: (result: T) => Promise<void>,
): Job {
  let latest: T | undefined;
  return {
    run: () => {
      const result = run();
      latest?.dispose();
      latest = result;
      return submit?.(result);
    },
    read: async () => {
      if (latest === undefined) throw new Error('read before run');
      return Float32Array.from(await read(latest));
    },
    dispose: () => [() => latest?.dispose(), ...free].forEach((one) => one()),
  };
}
