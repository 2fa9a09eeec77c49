// The worker's side: it owns the runtime and all objects, and runs the page's calls in the order of their arrival.
import { GatewiseError, show } from '../core/errors.ts';
import type { Layer } from '../nn/layer.ts';
import type { LoadOptions, RuntimeOptions, Runtime } from '../runtime/runtime.ts';
import { createRuntime } from '../runtime/runtime.ts';
import { Net } from '../runtime/net.ts';
import { Stream } from '../runtime/stream.ts';
import { Tensor } from '../runtime/tensor.ts';
import { Trainer, type TrainerOptions } from '../train/trainer.ts';
import { type Call, type Endpoint, type Failure, type FromWorker, type Kind, type Made } from './protocol.ts';

/** What a worker offers. Layers, losses and optimizers contain functions, which cannot be sent, so the page calls them by name. */
export interface Served {
  /** Options of `createRuntime`, or a function that makes the runtime. */
  readonly runtime?: RuntimeOptions | (() => Promise<Runtime>);
  readonly models: Readonly<Record<string, () => Layer>>;
  /** Options of trainers, by the names that the page gives to `net.trainer`. */
  readonly trainers?: Readonly<Record<string, TrainerOptions>>;
}

/**
 * Creates a runtime in this worker and serves it to the page that has called `connect` with the worker.
 * @param endpoint The other end of the channel; the worker's own scope unless given.
 */
export function serve(served: Served, endpoint: Endpoint = globalThis as unknown as Endpoint): void {
  const post = (message: FromWorker): void => endpoint.postMessage(message, transferablesOf(message));
  const ready = open(served, (progress) => post({ compiling: progress }));
  ready.then(
    ({ made }) => post({ ready: made }),
    (error: unknown) => post({ failure: failureOf(error) }),
  );
  endpoint.addEventListener('message', (event) => {
    const { id, object, method, args } = (event as MessageEvent<Call>).data;
    const call = async (): Promise<void> => {
      try {
        const { objects } = await ready;
        const result = await objects.call(object, method, args);
        post(objects.isMade(result) ? { id, made: result } : { id, value: result });
      } catch (error) {
        post({ id, failure: failureOf(error) });
      }
    };
    void call();
  });
  endpoint.start?.();
}

/** The objects of a page in the worker, by number. */
class Objects {
  readonly #served: Served;
  readonly #objects = new Map<number, Runtime | Net | Stream | Trainer>();
  readonly #made = new WeakSet<object>();
  #next = 0;

  constructor(served: Served) {
    this.#served = served;
  }

  add(kind: Kind, object: Runtime | Net | Stream | Trainer, fields: Made['fields'] = {}): Made {
    this.#objects.set(this.#next, object);
    const made = { kind, object: this.#next++, fields };
    this.#made.add(made);
    return made;
  }

  isMade(result: unknown): result is Made {
    return typeof result === 'object' && result !== null && this.#made.has(result);
  }

  /** The result of a call: numbers in place of tensors, or what was made. */
  async call(at: number, method: string, args: readonly unknown[]): Promise<unknown> {
    const object = this.#objects.get(at);
    if (object === undefined)
      throw new GatewiseError('disposed', `worker: ${method}() after dispose(); make the object again`);
    if (method === 'dispose') this.#objects.delete(at);
    const result = await this.#run(object, method, args);
    return this.isMade(result) ? result : toHost(result);
  }

  #run(object: Runtime | Net | Stream | Trainer, method: string, args: readonly unknown[]): unknown {
    const [first, second] = args as [never, never];
    if (object instanceof Net) {
      if (method === 'stream') return this.#stream(object.stream(first));
      if (method === 'trainer') return this.#trainer(object, first);
    } else if (object instanceof Stream) {
      if (method === 'fork') return this.#stream(object.fork());
    } else if (object instanceof Trainer) {
      if (method === 'setLearningRate') return void (object.learningRate = first);
    } else if (method === 'load') return this.#load(object, first, second);
    return (object as unknown as Record<string, (...all: readonly unknown[]) => unknown>)[method](...args);
  }

  async #load(runtime: Runtime, name: string, options: LoadOptions): Promise<Made> {
    const make = named('load: a model', this.#served.models, name);
    const net = await runtime.load(make(), options);
    return this.add('net', net, { parameterCount: net.parameterCount });
  }

  #stream(stream: Stream): Made {
    return this.add('stream', stream, { batch: stream.batch });
  }

  #trainer(net: Net, name: string): Made {
    return this.add(
      'trainer',
      new Trainer(net, named('trainer: options', this.#served.trainers ?? {}, name)),
    );
  }
}

async function open(
  served: Served,
  onCompile: NonNullable<RuntimeOptions['onCompile']>,
): Promise<{ objects: Objects; made: Made }> {
  const { runtime: given = {} } = served;
  const runtime = await (typeof given === 'function' ? given() : createRuntime({ onCompile, ...given }));
  const objects = new Objects(served);
  const { backend, fallbackReason } = runtime;
  const made = objects.add('runtime', runtime, { description: backend.description, fallbackReason });
  return { objects, made };
}

/** The entry of a table. @throws GatewiseError `argument` if there is none. */
function named<T>(what: string, table: Readonly<Record<string, T>>, name: string): T {
  if (typeof name !== 'string' || !Object.hasOwn(table, name))
    throw new GatewiseError(
      'argument',
      `${what} by a name that the worker serves was expected, one of ${show(Object.keys(table))}, got ${show(name)}`,
    );
  return table[name];
}

/** The result of a method with the numbers of each tensor in its place, which is then free. */
async function toHost(given: unknown): Promise<unknown> {
  const result = await given;
  if (result instanceof Tensor) {
    const data = await result.read();
    const { shape, dtype } = result;
    result.dispose();
    return { shape, dtype, data };
  }
  if (typeof result !== 'object' || result === null || ArrayBuffer.isView(result)) return result;
  const entries = Object.entries(result).map(async ([key, value]) => [key, await toHost(value)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** The buffers of the arrays in a message. A result belongs to nobody in the worker, so it is transferred, not copied. */
function transferablesOf(node: unknown): Transferable[] {
  if (ArrayBuffer.isView(node)) return node.buffer instanceof ArrayBuffer ? [node.buffer] : [];
  if (typeof node !== 'object' || node === null) return [];
  return [...new Set(Object.values(node).flatMap(transferablesOf))];
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, stack } = error;
  return {
    message,
    ...(stack !== undefined && { stack }),
    ...(error instanceof GatewiseError && { code: error.code }),
  };
}
