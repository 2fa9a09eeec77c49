// Streaming: one step at a time, states on the device and updated in place.
import { GatewiseError, show } from '../core/errors.ts';
import { checkSize } from '../nn/layer.ts';
import type { Value } from '../graph/value.ts';
import { reshape } from '../ops/structure.ts';
import type { HostData } from './host.ts';
import type { NetContext } from './net_context.ts';
import type { Traced } from './program.ts';
import type { Tensor } from './tensor.ts';

export class Stream implements Disposable {
  readonly batch: number;
  readonly #net: NetContext;
  readonly #states: readonly Tensor[];
  #disposed = false;

  /** Made by `net.stream`. */
  constructor(net: NetContext, batch: number) {
    checkSize('stream', 'batch', batch);
    if (net.model.states.length === 0)
      throw new GatewiseError('unsupported', `stream: ${net.model.name} has no recurrent state; use run()`);
    this.#net = net;
    this.batch = batch;
    this.#states = net.model.states.map(({ shape }) => net.runtime.allocate(shape(batch), 'f32'));
    this.reset();
  }

  /**
   * Feeds one step and returns the model's output for it, (batch, …), without waiting; read() it for the values.
   * @param x one step's input: (batch) tokens or (batch, I) features. With a batch of 1, one token or (I) features do.
   */
  push(x: Tensor | HostData): Tensor {
    this.#checkAlive('push');
    const net = this.#net;
    const input = net.input('push', x);
    const features = net.model.inputDType === 'i32' ? 0 : 1;
    const short = input.shape.length === features && this.batch === 1;
    if (!short && (input.shape.length !== features + 1 || input.shape[0] !== this.batch)) {
      throw new GatewiseError(
        'shape',
        `push: expected one step of ${features === 0 ? `${this.batch} tokens` : `(${this.batch}, features)`}, got shape ${show(input.shape)}`,
      );
    }
    const { timeAxis = 0 } = net.model;
    const rest = input.shape.slice(short ? 0 : 1);
    const shape = timeAxis === 0 ? [1, this.batch, ...rest] : [this.batch, 1, ...rest];
    const args = [net.weights, input, ...this.#states];
    const trace = ([flat, step, ...states]: readonly Value[]): Traced => {
      const named = Object.fromEntries(net.model.states.map(({ name }, i) => [name, states[i]]));
      const result = net.model.forward(reshape(step, shape), net.layout.unpack(flat), named);
      const output = reshape(result.output, [this.batch, ...result.output.shape.slice(2)]);
      return {
        outputs: [output, ...net.model.states.map(({ name }) => result.states[name])],
        donate: [undefined, ...states.map((_, i) => 2 + i)],
      };
    };
    const program = net.program('push', args, trace, ['weights', 'input']);
    const { view, dtype } = program.plan.outputs[0];
    const output = net.runtime.allocate(view.shape, dtype);
    program.run(args, [output.buffer, ...this.#states.map((state) => state.buffer)]);
    return output;
  }

  /** Back to zero states. */
  reset(): void {
    this.#checkAlive('reset');
    for (const state of this.#states) state.backend.write(state.buffer, new Float32Array(state.buffer.size));
  }

  #checkAlive(method: string): void {
    if (this.#disposed)
      throw new GatewiseError('disposed', `stream: ${method}() after dispose(); make a new stream`);
  }

  dispose(): void {
    this.#disposed = true;
    this.#net.forget(this);
    for (const state of this.#states) state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
