// The page's side: objects whose methods call those of their counterparts in the worker. It contains nothing of the library's work.
import type { CalibrateOptions } from '../backend/backend.ts';
import type { CompileProgress } from '../backend/webgpu/pipelines.ts';
import { GatewiseError } from '../core/errors.ts';
import type { Calibration } from '../plan/calibration.ts';
import type { HostData, TypedArray } from '../runtime/host.ts';
import type { CaptureOptions } from '../runtime/net.ts';
import type { LoadOptions } from '../runtime/runtime.ts';
import {
  METHODS,
  type Endpoint,
  type Failure,
  type FromWorker,
  type HostResult,
  type Made,
} from './protocol.ts';

/** As options of `net.run` and `trainer.step`, with numbers. */
export interface RemoteRunOptions {
  readonly states?: Readonly<Record<string, HostData>>;
  readonly lengths?: HostData;
  readonly mask?: HostData;
}

type HostResults = Readonly<Record<string, HostResult>>;
type File = Uint8Array<ArrayBuffer>;

/** A runtime in a worker. All promises reject with the error that the same call throws in the worker. */
export interface RemoteRuntime {
  /** What it runs on. */
  readonly description: string;
  /** Why it is on the CPU, if WebGPU was tried and there is none. */
  readonly fallbackReason: string | undefined;
  /** @param model The name of a model that the worker serves. */
  load(model: string, options?: LoadOptions): Promise<RemoteNet>;
  calibrate(options?: CalibrateOptions): Promise<Calibration>;
  dispose(): Promise<void>;
}

export interface RemoteNet {
  readonly parameterCount: number;
  run(x: HostData, options?: RemoteRunOptions): Promise<HostResult>;
  run(
    x: HostData,
    options: RemoteRunOptions & CaptureOptions,
  ): Promise<{ readonly output: HostResult; readonly captured: HostResults }>;
  runWithStates(
    x: HostData,
    options?: RemoteRunOptions,
  ): Promise<{ readonly output: HostResult; readonly states: HostResults }>;
  stream(options?: { readonly batch?: number }): Promise<RemoteStream>;
  /** @param options The name of options that the worker serves. */
  trainer(options: string): Promise<RemoteTrainer>;
  save(metadata?: Readonly<Record<string, string>>): Promise<File>;
  load(bytes: Uint8Array): Promise<Readonly<Record<string, string>>>;
  dispose(): Promise<void>;
}

export interface RemoteStream {
  readonly batch: number;
  push(x: HostData): Promise<HostResult>;
  reset(rows?: number | readonly number[]): Promise<void>;
  states(): Promise<HostResults>;
  fork(): Promise<RemoteStream>;
  save(metadata?: Readonly<Record<string, string>>): Promise<File>;
  load(bytes: Uint8Array): Promise<Readonly<Record<string, string>>>;
  dispose(): Promise<void>;
}

export interface RemoteTrainer {
  /** @returns The loss before the update. The next step can be asked for without awaiting it. */
  step(x: HostData, y: HostData, options?: RemoteRunOptions): Promise<number>;
  step(
    x: HostData,
    y: HostData,
    options: RemoteRunOptions & CaptureOptions,
  ): Promise<{ readonly loss: number; readonly values: HostResults; readonly gradients: HostResults }>;
  resetStates(rows?: number | readonly number[]): Promise<void>;
  setLearningRate(rate: number): Promise<void>;
  save(metadata?: Readonly<Record<string, string>>): Promise<File>;
  load(bytes: Uint8Array): Promise<Readonly<Record<string, string>>>;
  dispose(): Promise<void>;
}

/** Arrays that the next call takes from the page. */
const transferred = new WeakSet<TypedArray>();

/** Marks an array, so that the call that has it as an argument moves it to the worker without a copy: afterwards it is empty here. */
export function transfer<T extends TypedArray>(array: T): T {
  transferred.add(array);
  return array;
}

function transferablesOf(node: unknown): Transferable[] {
  if (ArrayBuffer.isView(node))
    return transferred.has(node as TypedArray) && node.buffer instanceof ArrayBuffer ? [node.buffer] : [];
  if (typeof node !== 'object' || node === null) return [];
  return [...new Set(Object.values(node).flatMap(transferablesOf))];
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Connects to a worker that has called `serve`.
 * @param options.onCompile Called as the worker's device compiles pipelines.
 * @throws GatewiseError, as a rejection, what `createRuntime` throws in the worker, or `unsupported` if its script fails.
 */
export function connect(
  worker: Endpoint,
  { onCompile }: { readonly onCompile?: (progress: CompileProgress) => void } = {},
): Promise<RemoteRuntime> {
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  /** Why no call can be answered any more. */
  let broken: Error | undefined;
  const call = (object: number, method: string, args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (broken !== undefined) throw broken;
      const id = calls++;
      try {
        worker.postMessage({ id, object, method, args }, transferablesOf(args));
      } catch (error) {
        // A DataCloneError: functions, layers and tensors do not leave their thread.
        throw new GatewiseError(
          'argument',
          `${method}: an argument cannot be sent to a worker (${String(error)}); pass numbers, and models and options of trainers by the names that the worker serves`,
          { cause: error },
        );
      }
      waiting.set(id, { resolve, reject });
    });
  const remote = ({ kind, object, fields }: Made): unknown => ({
    ...fields,
    ...Object.fromEntries(
      METHODS[kind].map((method) => [method, (...args: readonly unknown[]) => call(object, method, args)]),
    ),
  });
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      broken = error;
      reject(error);
      for (const one of waiting.values()) one.reject(error);
      waiting.clear();
    };
    worker.addEventListener('message', (event) => {
      const message = (event as MessageEvent<FromWorker>).data;
      if ('ready' in message) return resolve(remote(message.ready) as RemoteRuntime);
      if ('compiling' in message) return onCompile?.(message.compiling);
      if (!('id' in message)) return fail(errorOf(message.failure));
      const { id } = message;
      const one = waiting.get(id);
      waiting.delete(id);
      if ('failure' in message) one?.reject(errorOf(message.failure));
      else one?.resolve('made' in message ? remote(message.made) : message.value);
    });
    for (const type of ['error', 'messageerror'] as const)
      worker.addEventListener(type, (event) => {
        const { message = 'it cannot be loaded, or a message cannot be read' } = event as Partial<ErrorEvent>;
        fail(new GatewiseError('unsupported', `connect: the worker failed: ${message}`));
      });
    worker.start?.();
  });
}

/** The error that was thrown in the worker. */
function errorOf({ message, code, stack }: Failure): Error {
  const error = code === undefined ? new Error(message) : new GatewiseError(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
