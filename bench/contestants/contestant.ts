// What the benchmark asks of a library on a backend.
import type { Task } from '../data.ts';

export type BackendName = 'webgpu' | 'wasm' | 'cpu';

/** A workload made ready by a contestant: weights, and inputs that stay, are where its backend wants them. */
export interface Job {
  /** Gets ready for a turn, untimed: where a library has one backend in a page at a time, and others had theirs. */
  resume?(): void;
  /** Queues one run, without waiting for the device where the library can do without. */
  run(): void | Promise<void>;
  /**
   * The result of the latest run, on the CPU, once all that was queued is done: outputs of a sequence, of a step of a
   * stream, the loss of a training step (1), a product. Numbers lie as the library has them.
   */
  read(): Promise<Float32Array>;
  /** Puts what `read` gave in the order of the workload's definition: time first, then rows. Absent where it is so. */
  readonly arrange?: (values: Float32Array) => Float32Array;
  /** Frees what it holds. */
  dispose(): void;
}

/** In what libraries differ although the work is the same. */
export interface Variant {
  /** GRU as this library can: PyTorch's, or with the reset before the product. */
  readonly gru: 'reset after' | 'reset before';
  /** Biases of a gate that it trains: PyTorch's two, or their sum, which moves half as far in a step of Adam. */
  readonly biases: 1 | 2;
}

export interface Contestant extends Variant {
  /** Library and backend, such as `TF.js webgpu`. */
  readonly name: string;
  readonly library: string;
  readonly backend: BackendName;
  /** The library's version, and what matters of its settings. */
  readonly version: string;
  /** @throws Unsupported where the library cannot do the workload. */
  prepare(task: Task): Promise<Job>;
  dispose?(): void;
}

/** What a library cannot do, in a few words: shown in its row. */
export class Unsupported extends Error {}

/** How a contestant comes to be; a library that is not asked for is not loaded. */
export interface ContestantSource {
  readonly name: string;
  /** The library's key for `--peers`. */
  readonly key: string;
  load(): Promise<Contestant>;
}
