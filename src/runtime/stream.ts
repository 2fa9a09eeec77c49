// Streaming: one step at a time, with the states on the device.
import { GatewiseError, show } from '../core/errors.ts';
import type { Tree } from '../core/tree.ts';
import type { Value } from '../graph/value.ts';
import { checkMetadata, parseSafetensors, serializeSafetensors } from '../io/safetensors.ts';
import type { Layer } from '../nn/layer.ts';
import { Sequential } from '../nn/sequential.ts';
import { reshape } from '../ops/structure.ts';
import type { HostData } from './host.ts';
import { Inspectable } from './inspectable.ts';
import type { NetContext } from './net_context.ts';
import type { Prepared, Program } from './program.ts';
import { StateLayout } from './state_layout.ts';
import { clearRows, rowsOf } from './states.ts';
import { toArgument, type Tensor } from './tensor.ts';

/** `plan`, `explain`, `profile` and `tune` are about `push`. */
export class Stream extends Inspectable<[x: Tensor | HostData]> {
  readonly batch: number;
  readonly #net: NetContext;
  readonly #layout: StateLayout;
  /** A push reads `#states` and writes `#next`; then the two are swapped. */
  #states: Tensor;
  #next: Tensor;
  #disposed = false;
  #pushes = 0;

  /** Made by `net.stream` and `fork`. @param states The initial states, which the stream then owns; zeros unless given. */
  constructor(net: NetContext, batch: number, states?: Tensor) {
    super();
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
    const { program, args } = this.prepare('push', x);
    const { view, dtype } = program.plan.outputs[0];
    const output = this.#net.runtime.allocate(view.shape, dtype);
    program.run(args, [output.buffer, this.#next.buffer]);
    [this.#states, this.#next] = [this.#next, this.#states];
    if (program.hasPrefetch) this.#prefetch(program);
    return output;
  }

  /**
   * Records a push into commands of the application: no submit, no readback, and after the second call with the same tensors no
   * allocation. The states advance when the commands run, in the order of the calls. See `Compiled.encode`.
   * @param output (batch, …), as `push` returns it.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, x: Tensor, output: Tensor): void {
    const { program, args } = this.prepare('encode', x);
    program.encode(target, args, [output, this.#next]);
    [this.#states, this.#next] = [this.#next, this.#states];
    // A prefetch of an earlier push is not for the new states.
    this.#pushes++;
  }

  /**
   * Prefetches W_hh·h of the next push once the caller's current work is queued, so that a read() of this push's output comes
   * first. Does nothing if the next push comes earlier.
   */
  #prefetch(program: Program): void {
    const pushes = ++this.#pushes;
    setTimeout(() => {
      if (this.#disposed || pushes !== this.#pushes) return;
      program.prefetch({ weights: this.#net.weights, states: this.#states }, [undefined, this.#next.buffer]);
    }, 0);
  }

  protected prepare(method: string, x: Tensor | HostData): Prepared {
    this.#checkAlive(method);
    const { model, layout, precision, weights, programs } = this.#net;
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
    return programs.prepare({
      name: 'push',
      args: { weights, input, states: this.#states },
      frozen: ['weights'],
      prefetchable: ['states'],
      trace: ({ weights: flat, input: step, states }) => {
        const parameters = layout.quantize(layout.unpack(flat), precision);
        const result = model.forward(reshape(step, shape), parameters, this.#layout.unpack(states));
        const output = reshape(result.output, [batch, ...result.output.shape.slice(axes.length)]);
        return { outputs: [output, this.#layout.pack(result.states)] };
      },
    });
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
    const data = new Float32Array(this.batch).fill(1);
    for (const row of rowsOf('reset', rows, this.batch)) data[row] = 0;
    const { model, programs } = this.#net;
    const { program, args } = programs.prepare({
      name: 'reset',
      args: { continues: { shape: [this.batch], dtype: 'f32', data }, states: this.#states },
      trace: ({ continues, states }) => {
        const cleared = clearRows('reset', model.states, this.#layout.unpack(states), continues);
        return { outputs: this.#layout.pack(cleared), donate: ['states'] };
      },
    });
    program.run(args, []);
  }

  /** Copies of the states after the last push, by name. The caller owns them. */
  states(): Record<string, Tensor> {
    this.#checkAlive('states');
    return this.#copy('states', (states) => this.#layout.unpack(states)) as Record<string, Tensor>;
  }

  /** A second stream that starts from this one's states. Afterwards the two are independent. */
  fork(): Stream {
    this.#checkAlive('fork');
    return new Stream(this.#net, this.batch, this.#copy('fork', (states) => states) as Tensor);
  }

  #copy(name: string, outputsOf: (states: Value) => Tree<Value>): unknown {
    const { programs, runtime } = this.#net;
    const { program, args } = programs.prepare({
      name,
      args: { states: this.#states },
      trace: ({ states }) => ({ outputs: outputsOf(states) }),
    });
    return program.call(runtime, args);
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
  restore(bytes: Uint8Array): Readonly<Record<string, string>> {
    this.#checkAlive('restore');
    const refuse = (problem: string): never => {
      throw new GatewiseError('file', `restore: ${problem}`);
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
    this.#states.write(this.#layout.fromTensors('restore', tensors)[0]);
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
