// Streaming: one step at a time, with the states on the device.
import { refuseProxy } from '../core/refuse_proxy.ts';
import type { Run } from '../backend/backend.ts';
import { Memo } from '../backend/memo.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { joined } from '../core/tree.ts';
import { sameShape } from '../core/shape.ts';
import { checkMetadata, parseSafetensors, serializeSafetensors } from '../io/safetensors.ts';
import type { Layer } from '../nn/layer.ts';
import { Sequential } from '../nn/sequential.ts';
import type { HostData } from './host.ts';
import type { NetContext } from './net_context.ts';
import { PREPARE, type Planned, type Prepared } from './program.ts';
import type { Specialization } from './specialization.ts';
import { flatsFromTensors } from './flat_layout.ts';
import { StateLayout } from './state_layout.ts';
import { rowsOf } from './states.ts';
import type { StepSignature } from './stream_programs.ts';
import { toArgument, type Argument, type Tensor } from './tensor.ts';

/** What weights and states alone give of the next push. */
interface Prefetched {
  readonly specialization: Specialization;
  readonly step: StepSignature;
  readonly tensors: readonly Tensor[];
  /** Valid for the present weights and states? */
  readonly memo: Memo;
}

/** Whether what was prepared for one step is for another one of the same stream, and has not been freed meanwhile. */
const isFor = ({ specialization, step: { input } }: Prefetched, step: StepSignature): boolean =>
  !specialization.isDisposed && sameShape(input.shape, step.input.shape);

export class Stream implements Planned<[x: Tensor | HostData]>, Disposable {
  readonly batch: number;
  readonly #net: NetContext;
  readonly #layout: StateLayout;
  /** A push reads `#states` and writes `#next`; then the two are swapped. */
  #states: Tensor;
  #next: Tensor;
  #prefetched: Prefetched | undefined;
  #disposed = false;
  #pushes = 0;

  static {
    refuseProxy(this, 'stream', (object) => #states in object);
  }

  /**
   * Made by `net.stream` and `fork`. @param states The initial states, which the stream then owns; zeros unless given.
   * @internal
   */
  constructor(net: NetContext, batch: number, states?: Tensor) {
    checkStreams(net.model);
    this.#net = net;
    this.batch = batch;
    this.#layout = new StateLayout(net.model.states, batch);
    this.#states = states ?? this.#allocate();
    this.#next = this.#allocate();
    if (states === undefined) this.reset();
    net.dependents.add(this);
  }

  #allocate(): Tensor {
    return this.#net.runtime.allocate([this.#layout.size], 'f32');
  }

  /**
   * Feeds one step and returns the model's output for it, (batch, …), without waiting; read() it for the values.
   * @param x One step's input: (batch) tokens or (batch, I) features. With a batch of 1 also one token or (I) features.
   */
  push(x: Tensor | HostData): Tensor {
    const [first, { specialization, args }] = this.#parts('push', x);
    const before = first !== undefined && this.#isStale(first) ? this.#bind(first) : undefined;
    const { view, dtype } = specialization.plan.outputs[0];
    const output = this.#net.runtime.allocate(view.shape, dtype);
    specialization.run(args, [output.buffer, this.#next.buffer], [], before);
    this.#advance();
    if (first !== undefined) this.#prefetch(first);
    return output;
  }

  /**
   * Records a push into commands of the application: no submit, no readback, and after the second call with the same tensors no
   * allocation. The states advance when the commands run, in the order of the calls. See `Compiled.encode`.
   * @param output (batch, …), as `push` returns it.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, x: Tensor, output: Tensor): void {
    const [first, { specialization, args }] = this.#parts('encode', x);
    first?.specialization.encode(target, this.#known, { prefetched: first.tensors });
    specialization.encode(target, args, { output, states: this.#next });
    this.#advance();
  }

  #advance(): void {
    [this.#states, this.#next] = [this.#next, this.#states];
    // A prefetch of an earlier push is not for the new states.
    this.#pushes++;
  }

  /**
   * Prefetches once the caller's current work is queued, so that a read() of this push's output comes first. Does nothing if the
   * next push comes earlier.
   */
  #prefetch(first: Prefetched): void {
    const pushes = this.#pushes;
    setTimeout(() => {
      if (this.#disposed || pushes !== this.#pushes) return;
      try {
        this.#run(first);
      } catch (error) {
        // A device that has failed says so in the next call; nobody could catch it here.
        if (!(error instanceof GatewiseError)) throw error;
      }
    }, 0);
  }

  #isStale({ memo }: Prefetched): boolean {
    return memo.isStale(this.#known.map(({ buffer }) => buffer));
  }

  #bind({ specialization, tensors }: Prefetched): Run {
    return specialization.bind(
      this.#known,
      tensors.map(({ buffer }) => buffer),
    );
  }

  #run(first: Prefetched): void {
    const { executable, args, outputs } = this.#bind(first);
    executable.run(args, outputs, []);
    first.memo.remember(args);
  }

  /** The two programs of a push; the first is undefined if all of a push needs the input. */
  #parts(method: string, x: Tensor | HostData): readonly [Prefetched | undefined, Prepared] {
    this.#checkAlive(method);
    const { streamPrograms } = this.#net;
    const weights = joined(this.#net.weights);
    const [input, step] = this.#step(method, x);
    const given = { weights, states: this.#states };
    if (this.#prefetched === undefined || !isFor(this.#prefetched, step)) {
      this.#dropPrefetched();
      const { specialization } = streamPrograms.prefetch.prepare(given, step);
      const tensors = specialization.plan.outputs.map(({ view, dtype }) =>
        this.#net.runtime.allocate(view.shape, dtype),
      );
      this.#prefetched = { specialization, step, tensors, memo: new Memo([...this.#known.keys()]) };
    }
    const { tensors } = this.#prefetched;
    const prepared = streamPrograms.push.prepare({ ...given, input, prefetched: tensors }, step);
    return [tensors.length === 0 ? undefined : this.#prefetched, prepared];
  }

  [PREPARE](method: string, x: Tensor | HostData): readonly Prepared[] {
    const [first, push] = this.#parts(method, x);
    const { specialization } = first ?? {};
    return specialization ? [{ specialization, args: this.#known }, push] : [push];
  }

  /** What is known of a push before its input. */
  get #known(): readonly Tensor[] {
    return [...this.#net.weights, this.#states];
  }

  #step(method: string, x: Tensor | HostData): readonly [Argument, StepSignature] {
    const { model } = this.#net;
    const { batch } = this;
    const input = toArgument(`${method}: input`, x, model.inputDType);
    const features = model.inputDType === 'i32' ? 0 : 1;
    const unbatched = input.shape.length === features && batch === 1;
    if (!unbatched && (input.shape.length !== features + 1 || input.shape[0] !== batch)) {
      throw new GatewiseError(
        'shape',
        `${method}: expected one step of ${features === 0 ? `${batch} tokens` : `(${batch}, features)`}, got shape ${show(input.shape)}`,
      );
    }
    // Layers without an axis of time, such as LSTMCell, take (B, …).
    const axes = model.timeAxis === undefined ? [batch] : model.timeAxis === 0 ? [1, batch] : [batch, 1];
    const shape = [...axes, ...input.shape.slice(unbatched ? 0 : 1)];
    return [input, { batch, shape, input: { shape: input.shape, dtype: input.dtype } }];
  }

  /**
   * Sets states to zero, without waiting.
   * @param rows Rows of the batch, from 0; the others continue unchanged. All unless given.
   * @throws GatewiseError `argument` if a row is not in the batch.
   */
  reset(rows?: number | readonly number[]): void {
    this.#checkAlive('reset');
    if (rows === undefined) {
      this.#states.write(new Float32Array(this.#layout.size));
      return;
    }
    const { batch } = this;
    const data = new Float32Array(batch).fill(1);
    for (const row of rowsOf('reset', rows, batch)) data[row] = 0;
    const continues = { shape: [batch], dtype: 'f32', data } as const;
    this.#net.streamPrograms.reset.update({ continues, states: this.#states }, batch);
  }

  /** Copies of the states after the last push, by name. The caller owns them. */
  states(): Record<string, Tensor> {
    this.#checkAlive('states');
    const { unpack } = this.#net.streamPrograms;
    return unpack.call({ states: this.#states }, this.batch) as Record<string, Tensor>;
  }

  /** A second stream that starts from this one's states. Afterwards the two are independent. */
  fork(): Stream {
    this.#checkAlive('fork');
    const { copy } = this.#net.streamPrograms;
    const { states } = copy.call({ states: this.#states }, undefined) as { readonly states: Tensor };
    return new Stream(this.#net, this.batch, states);
  }

  /**
   * The states after the last push, as safetensors in float32. @param metadata Strings to store beside them.
   */
  async save(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.#checkAlive('save');
    checkMetadata('save', metadata);
    return serializeSafetensors(this.#layout.toTensors(await this.#states.read()), {
      ...metadata,
      format: 'pt',
      model: this.#net.model.name,
      batch: String(this.batch),
    });
  }

  /**
   * Restores states that `save` wrote, here or on another machine.
   * @returns The metadata of the file.
   * @throws GatewiseError `file` if it is from another model or batch; the states then do not change.
   */
  load(bytes: Uint8Array): Readonly<Record<string, string>> {
    this.#checkAlive('load');
    const refuse = (problem: string): never => {
      throw new GatewiseError('file', `load: ${problem}`);
    };
    const { model } = this.#net;
    const { tensors, metadata } = parseSafetensors(bytes);
    const { model: savedModel, batch: savedBatch } = metadata;
    if (savedModel === undefined || savedBatch === undefined)
      refuse(
        `expected what stream.save() wrote, with model and batch in its metadata, got ${show(Object.keys(metadata))}`,
      );
    if (savedModel !== model.name)
      refuse(
        `the file is of a stream of ${savedModel}; expected one of ${model.name}, the model of this stream`,
      );
    if (savedBatch !== String(this.batch))
      refuse(
        `the file is of a stream of batch ${savedBatch}; expected ${this.batch}, the batch of this stream`,
      );
    const [[states]] = flatsFromTensors('load', 'state', [this.#layout], tensors);
    this.#states.write(states);
    return metadata;
  }

  #checkAlive(method: string): void {
    if (this.#disposed)
      throw new GatewiseError('disposed', `stream: ${method}() after dispose(); make a new stream`);
  }

  dispose(): void {
    this.#disposed = true;
    this.#net.dependents.delete(this);
    this.#states.dispose();
    this.#next.dispose();
    this.#dropPrefetched();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #dropPrefetched(): void {
    for (const tensor of this.#prefetched?.tensors ?? []) tensor.dispose();
    this.#prefetched = undefined;
  }
}

/** Throws unless the model has states and no output depends on later steps. */
function checkStreams(model: Layer): void {
  const leaves = (layer: Layer): readonly Layer[] =>
    layer instanceof Sequential ? layer.layers.flatMap(leaves) : [layer];
  const bidirectional = leaves(model).find(({ causal }) => causal === false);
  if (bidirectional !== undefined)
    throw new GatewiseError(
      'unsupported',
      `stream: ${bidirectional.name} is bidirectional: its output at a step depends on later steps; use run()`,
    );
  if (model.states.length === 0)
    throw new GatewiseError('unsupported', `stream: ${model.name} has no recurrent state; use run()`);
}
