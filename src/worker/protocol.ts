// What a page and its worker say to each other: calls of methods of objects in the worker, by number, and their results.
import type { CompileProgress } from '../backend/webgpu/pipelines.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { DType, Shape } from '../core/shape.ts';

/** One end of a channel: a Worker, a worker's own scope, or a MessagePort. */
export interface Endpoint {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: 'message' | 'messageerror' | 'error', listener: (event: Event) => void): void;
  /** Of a MessagePort. */
  start?(): void;
}

/** The numbers of a tensor on the page. */
export interface HostResult {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: Float32Array | Float64Array | Int32Array;
}

/** The methods of each kind of object that a page can call. */
export const METHODS = {
  runtime: ['load', 'calibrate', 'dispose'],
  net: ['run', 'runWithStates', 'stream', 'trainer', 'save', 'load', 'dispose'],
  stream: ['push', 'reset', 'states', 'fork', 'save', 'load', 'dispose'],
  trainer: ['step', 'resetStates', 'setLearningRate', 'save', 'load', 'dispose'],
} as const satisfies Record<string, readonly string[]>;
export type Kind = keyof typeof METHODS;

/** A call of a method. The runtime is object 0. */
export interface Call {
  readonly id: number;
  readonly object: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** An object that a call has made in the worker. */
export interface Made {
  readonly kind: Kind;
  readonly object: number;
  /** Fields that do not change, such as a net's parameterCount. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What became of a call. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly made: Made }
  | { readonly id: number; readonly failure: Failure };

/** An error as plain data. `code` is that of a GatewiseError. */
export interface Failure {
  readonly message: string;
  readonly code?: ErrorCode;
  readonly stack?: string;
}

/** From the worker: first that it is ready, or why it is not, then replies, and what compiles. */
export type FromWorker =
  | { readonly ready: Made }
  | { readonly failure: Failure }
  | { readonly compiling: CompileProgress }
  | Reply;
