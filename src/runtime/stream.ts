// Streaming: one step at a time, with the states on the device.
import { GatewiseError, show } from '../core/errors.ts';
import type { Value } from '../graph/value.ts';
import { checkMetadata } from '../io/safetensors.ts';
import type { Layer } from '../nn/layer.ts';
import { Sequential } from '../nn/sequential.ts';
import { reshape } from '../ops/structure.ts';
import type { Plan } from '../plan/plan.ts';
import { toHostTensor, type HostData } from './host.ts';
import type { NetContext } from './net_context.ts';
import type { TunedKind } from '../backend/tuning.ts';
import type { Argument, Program, Traced } from './program.ts';
import { StateLayout } from './state_layout.ts';
import { clearRows, rowsOf } from './state_rows.ts';
import { statesFromFile, statesToFile } from './stream_file.ts';
import type { Tensor } from './tensor.ts';

export class Stream implements Disposable {
  readonly batch: number;
  readonly #net: NetContext;
  readonly #layout: StateLayout;
  /** The states, and room for those after the next step: a push reads the one, writes the other, and they change places. */
  #states: Tensor;
  #next: Tensor;
  #disposed = false;
  #pushes = 0;

  /** Made by `net.stream` and `fork`. @param states to take over; zeros unless given. */
  constructor(net: NetContext, batch: number, states?: Tensor) {
    checkStreams(net.model);
    this.#net = net;
    this.batch = batch;
    this.#layout = new StateLayout(net.model.states, batch);
    this.#states = states ?? this.#allocate();
    this.#next = this.#allocate();
    if (states === undefined) this.reset();
  }

  #allocate(): Tensor {
    return this.#net.runtime.allocate([this.#layout.size], 'f32');
  }

  /**
   * Feeds one step and returns the model's output for it, (batch, …), without waiting; read() it for the values.
   * @param x one step's input: (batch) tokens or (batch, I) features. With a batch of 1, one token or (I) features do.
   */
  push(x: Tensor | HostData): Tensor {
    const { program, args } = this.#prepare('push', x);
    const { view, dtype } = program.plan.outputs[0];
    const output = this.#net.runtime.allocate(view.shape, dtype);
    program.run(args, [output.buffer, this.#next.buffer]);
    [this.#states, this.#next] = [this.#next, this.#states];
    if (program.hasEarly) this.#workAhead(program);
    return output;
  }

  /**
   * What the next step can do without its input, once what follows this push is through, with all that needs not wait: a read()
   * among it shall come first. A push that comes before does it all by itself.
   */
  #workAhead(program: Program): void {
    const pushes = ++this.#pushes;
    setTimeout(() => {
      if (this.#disposed || pushes !== this.#pushes) return;
      program.ahead([this.#net.weights, undefined, this.#states], [undefined, this.#next.buffer]);
    }, 0);
  }

  /** The plan of `push` for such a step. */
  plan(x: Tensor | HostData): Plan {
    return this.#prepare('plan', x).program.plan;
  }

  /** The plan of `push` for such a step, as text. */
  explain(x: Tensor | HostData): string {
    return this.#prepare('explain', x).program.explain();
  }

  /** Finds the fastest kernels for such a step, as `net.tune`. The states stay what they are. */
  async tune(x: Tensor | HostData): Promise<readonly TunedKind[]> {
    const { program, args } = this.#prepare('tune', x);
    return program.tune(args);
  }

  /** The program for such a step, and what to run it with. */
  #prepare(method: string, x: Tensor | HostData): { program: Program; args: readonly Argument[] } {
    this.#checkAlive(method);
    const net = this.#net;
    const input = net.input(method, x);
    const features = net.model.inputDType === 'i32' ? 0 : 1;
    const short = input.shape.length === features && this.batch === 1;
    if (!short && (input.shape.length !== features + 1 || input.shape[0] !== this.batch)) {
      throw new GatewiseError(
        'shape',
        `${method}: expected one step of ${features === 0 ? `${this.batch} tokens` : `(${this.batch}, features)`}, got shape ${show(input.shape)}`,
      );
    }
    const { timeAxis } = net.model;
    const rest = input.shape.slice(short ? 0 : 1);
    // What does not know of time, such as an LSTMCell, is given a step as it is.
    const axes = timeAxis === undefined ? [this.batch] : timeAxis === 0 ? [1, this.batch] : [this.batch, 1];
    const shape = [...axes, ...rest];
    const args = [net.weights, input, this.#states];
    const trace = ([flat, step, states]: readonly Value[]): Traced => {
      const named = this.#layout.byName(states);
      const { model, layout, precision } = net;
      const parameters = layout.quantize(layout.unpack(flat), precision);
      const result = model.forward(reshape(step, shape), parameters, named);
      const output = reshape(result.output, [this.batch, ...result.output.shape.slice(axes.length)]);
      const after = model.states.map(({ name }) => result.states[name]);
      return { outputs: [output, this.#layout.pack(after)] };
    };
    return { program: net.program('push', args, trace, ['weights', 'input'], [2]), args };
  }

  /**
   * Back to zero states, without waiting.
   * @param rows of the batch, from 0; the others go on untouched. All unless given.
   * @throws GatewiseError `argument` where a row is not in the batch.
   */
  reset(rows?: number | readonly number[]): void {
    this.#checkAlive('reset');
    if (rows === undefined) {
      this.#states.write(new Float32Array(this.#layout.size));
      return;
    }
    const keep = new Float32Array(this.batch).fill(1);
    for (const row of rowsOf('reset', rows, this.batch)) keep[row] = 0;
    const { states: declared } = this.#net.model;
    const args = [toHostTensor('reset', keep), this.#states];
    const trace = ([kept, flat]: readonly Value[]): Traced => {
      const cleared = this.#layout
        .unpack(flat)
        .map((state, i) => clearRows('reset', declared[i], state, kept));
      return { outputs: [this.#layout.pack(cleared)], donate: [1] };
    };
    this.#net.program('reset', args, trace).run(args, [this.#states.buffer]);
  }

  /** Copies of the states as they are after the last push, by name. The caller owns them. */
  states(): Record<string, Tensor> {
    this.#checkAlive('states');
    const { model, runtime } = this.#net;
    const copies = model.states.map(({ shape }) => runtime.allocate(shape(this.batch), 'f32'));
    this.#copy('states', (flat) => this.#layout.unpack(flat), copies);
    return Object.fromEntries(model.states.map(({ name }, i) => [name, copies[i]]));
  }

  /** A second stream that goes on from where this one is; from then on neither sees the other. */
  fork(): Stream {
    this.#checkAlive('fork');
    const copy = this.#allocate();
    this.#copy('fork', (flat) => [flat], [copy]);
    return this.#net.keep(new Stream(this.#net, this.batch, copy));
  }

  #copy(key: string, partsOf: (flat: Value) => readonly Value[], to: readonly Tensor[]): void {
    const program = this.#net.program(key, [this.#states], ([flat]) => ({ outputs: partsOf(flat) }));
    program.run(
      [this.#states],
      to.map(({ buffer }) => buffer),
    );
  }

  /**
   * The states as they are after the last push, as safetensors in float32. @param metadata strings to store beside them.
   */
  async save(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.#checkAlive('save');
    checkMetadata('save', metadata);
    const flat = Float32Array.from(await this.#states.read());
    return statesToFile(this.#net.model, this.batch, this.#layout.cut(flat), metadata);
  }

  /**
   * Goes on from what `save` wrote, here or on another machine.
   * @returns the metadata of the file.
   * @throws GatewiseError `file` where it is of another model or batch; the states then stay what they were.
   */
  restore(bytes: Uint8Array): Readonly<Record<string, string>> {
    this.#checkAlive('restore');
    const { states, metadata } = statesFromFile(this.#net.model, this.batch, bytes);
    this.#states.write(this.#layout.join(states));
    return metadata;
  }

  #checkAlive(method: string): void {
    if (this.#disposed)
      throw new GatewiseError('disposed', `stream: ${method}() after dispose(); make a new stream`);
  }

  dispose(): void {
    this.#disposed = true;
    this.#net.forget(this);
    this.#states.dispose();
    this.#next.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Throws unless the model has states to keep and an output that does not wait for what is to come. */
function checkStreams(model: Layer): void {
  const leaves = (layer: Layer): readonly Layer[] =>
    layer instanceof Sequential ? layer.layers.flatMap(leaves) : [layer];
  const ahead = leaves(model).find(({ causal }) => causal === false);
  if (ahead !== undefined)
    throw new GatewiseError(
      'unsupported',
      `stream: ${ahead.name} is bidirectional: its output at a step depends on later steps; use run()`,
    );
  if (model.states.length === 0)
    throw new GatewiseError('unsupported', `stream: ${model.name} has no recurrent state; use run()`);
}
