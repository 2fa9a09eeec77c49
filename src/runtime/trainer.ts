// Training: forward, loss, backward, clip and update are one plan, so a step is one submit, and needs no readback
// before the next.
import { GatewiseError, show } from '../core/errors.ts';
import { add, div, minimum, mul, sqrt, square } from '../expr/arith.ts';
import { Recent } from '../core/recent.ts';
import { Expr } from '../expr/expr.ts';
import { gradients } from '../graph/autodiff.ts';
import type { Value } from '../graph/value.ts';
import { parseSafetensors, serializeSafetensors } from '../io/safetensors.ts';
import { checkOptions } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { checkPositive, type Optimizer } from '../nn/optimizer.ts';
import { elementwise } from '../ops/elementwise.ts';
import { constant, slice, sum, zeros } from '../ops/structure.ts';
import { inputName } from '../ops/wgsl_expression.ts';
import type { Plan } from '../plan/plan.ts';
import { printPlan } from '../plan/print.ts';
import { toHostTensor, type HostData } from './host.ts';
import { signatureKey, toArgument, type NetContext } from './net_context.ts';
import { Program, type Argument, type Traced } from './program.ts';
import type { Tensor } from './tensor.ts';

export interface TrainerOptions {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Scales the gradient of all parameters so that its L2 norm is at most this, as torch's clip_grad_norm_. */
  readonly clipNorm?: number;
}

/** Plans kept for batches of different shapes. */
const MAX_PROGRAMS = 16;

export class Trainer implements Disposable {
  readonly #net: NetContext;
  readonly #options: TrainerOptions;
  readonly #moments: readonly Tensor[];
  readonly #lossValue: Tensor;
  readonly #programs = new Recent<Program>(MAX_PROGRAMS, (program) => program.dispose());
  #learningRate: number;
  #steps = 0;
  #disposed = false;

  /** Made by `net.trainer`. */
  constructor(net: NetContext, options: TrainerOptions) {
    checkOptions('trainer', options, ['loss', 'optimizer', 'clipNorm']);
    const { loss, clipNorm, optimizer } = options;
    if (typeof loss?.apply !== 'function')
      throw new GatewiseError(
        'argument',
        `trainer: expected a loss such as crossEntropy or mse, got ${show(loss)}`,
      );
    if (typeof optimizer?.update !== 'function')
      throw new GatewiseError(
        'argument',
        `trainer: expected an optimizer such as adam({ lr: 1e-3 }) or sgd({ lr: 0.1 }), got ${show(optimizer)}`,
      );
    if (clipNorm !== undefined && !(clipNorm > 0))
      throw new GatewiseError('argument', `trainer: clipNorm must be above 0, got ${show(clipNorm)}`);
    if (net.layout.entries.length === 0)
      throw new GatewiseError('unsupported', `trainer: ${net.model.name} has no parameters to train`);
    this.#net = net;
    this.#options = options;
    this.#learningRate = optimizer.lr;
    this.#moments = optimizer.states.map(() => net.runtime.allocate([net.layout.size], 'f32'));
    for (const tensor of this.#moments)
      tensor.backend.write(tensor.buffer, new Float32Array(net.layout.size));
    this.#lossValue = net.runtime.allocate([], 'f32');
  }

  /** Used from the next step on. */
  get learningRate(): number {
    return this.#learningRate;
  }

  set learningRate(rate: number) {
    checkPositive('trainer', 'learningRate', rate, true);
    this.#learningRate = rate;
  }

  /** Steps taken so far. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Queues one step on a batch and resolves with its loss, before the update. Awaiting is not needed before the next
   * step.
   * @throws GatewiseError at once where the batch does not fit, and `not-finite` (as a rejection) where the loss is NaN or
   *   infinite.
   */
  step(x: Tensor | HostData, y: Tensor | HostData): Promise<number> {
    this.#checkAlive('step');
    const args = this.#arguments(x, y);
    const program = this.#program(args);
    const [loss] = program.run(
      args,
      [
        this.#lossValue.buffer,
        ...args.slice(0, 1 + this.#moments.length).map((arg) => (arg as Tensor).buffer),
      ],
      [0],
    );
    return this.#checkedLoss(loss, ++this.#steps);
  }

  async #checkedLoss(read: Promise<ArrayLike<number>>, step: number): Promise<number> {
    const [loss] = Array.from(await read);
    if (!Number.isFinite(loss)) {
      throw new GatewiseError(
        'not-finite',
        `trainer: the loss of step ${step} is ${loss}; expected a finite number. Lower the learning rate (${this.learningRate}) or clipNorm (${show(this.#options.clipNorm)}), and look for NaN in the input`,
      );
    }
    return loss;
  }

  /** The plan of a step on such a batch. */
  plan(x: Tensor | HostData, y: Tensor | HostData): Plan {
    this.#checkAlive('plan');
    return this.#program(this.#arguments(x, y)).plan;
  }

  /** The plan of a step on such a batch, as text. */
  explain(x: Tensor | HostData, y: Tensor | HostData): string {
    return printPlan(this.plan(x, y));
  }

  #arguments(x: Tensor | HostData, y: Tensor | HostData): Argument[] {
    const { loss, optimizer } = this.#options;
    const scalars = Object.values(optimizer.scalars(this.#steps + 1, this.learningRate));
    return [
      this.#net.weights,
      ...this.#moments,
      toHostTensor('trainer', scalars),
      this.#net.input('step', x),
      toArgument('step: target', y, loss.targetDType),
    ];
  }

  #program(args: readonly Argument[]): Program {
    const names = ['weights', ...this.#options.optimizer.states, 'scalars', 'input', 'target'];
    const make = (): Program =>
      new Program(this.#net.runtime.backend, 'step', args, (values) => this.#trace(values), names);
    return this.#programs.get(signatureKey(args), make);
  }

  #trace(values: readonly Value[]): Traced {
    const { loss, optimizer, clipNorm } = this.#options;
    const count = this.#moments.length;
    const [flat, ...moments] = values.slice(0, 1 + count);
    const [scalars, x, y] = values.slice(1 + count);
    const { layout, model } = this.#net;
    const parameters = layout.unpack(flat);
    const value = loss.apply(model.forward(x, parameters).output, y);
    const wrt = layout.entries.map(({ name }) => parameters[name]);
    const found = gradients(value, wrt, constant(1));
    const gradient = layout.pack(found.map((g, i) => g ?? zeros(wrt[i].shape)));
    const clipped = clipNorm === undefined ? gradient : mul(gradient, clipFactor(gradient, clipNorm));
    const updated = this.#update(optimizer, flat, clipped, moments, scalars);
    return { outputs: [value, ...updated], donate: [undefined, ...updated.map((_, i) => i)] };
  }

  /** One elementwise op for all parameters and optimizer states. */
  #update(
    optimizer: Optimizer,
    flat: Value,
    gradient: Value,
    moments: readonly Value[],
    scalars: Value,
  ): readonly Value[] {
    const names = ['p', 'g', ...optimizer.states];
    const scalarNames = Object.keys(optimizer.scalars(1, this.learningRate));
    const inputs = [flat, gradient, ...moments, ...scalarNames.map((_, i) => slice(scalars, 0, i, i + 1))];
    const input = (offset: number) => (name: string, i: number) =>
      [name, Expr.input(inputName(offset + i))] as const;
    const next = optimizer.update(
      Object.fromEntries(names.map(input(0))),
      Object.fromEntries(scalarNames.map(input(names.length))),
    );
    return elementwise(
      ['p', ...optimizer.states].map((name) => next[name]),
      inputs,
      [],
      optimizer.name,
    );
  }

  /** Weights, optimizer states and step count as safetensors: all that is needed to go on as if nothing had happened. */
  async save(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.#checkAlive('save');
    const { layout, weights } = this.#net;
    const { optimizer } = this.#options;
    const steps = this.#steps;
    const [flat, ...moments] = await Promise.all([weights, ...this.#moments].map((tensor) => tensor.read()));
    const tensors = layout.toTensors(flat);
    moments.forEach((moment, i) => {
      for (const [name, tensor] of layout.toTensors(moment, `optimizer.${optimizer.states[i]}.`))
        tensors.set(name, tensor);
    });
    return serializeSafetensors(tensors, {
      ...metadata,
      format: 'pt',
      optimizer: optimizer.name,
      steps: String(steps),
    });
  }

  /** Goes on from what `save` wrote. @returns the metadata of the file. @throws GatewiseError `file` where it does not fit. */
  load(bytes: Uint8Array): Readonly<Record<string, string>> {
    this.#checkAlive('load');
    const { tensors, metadata } = parseSafetensors(bytes);
    const { layout, weights } = this.#net;
    const { optimizer } = this.#options;
    const steps = Number(metadata['steps']);
    if (metadata['optimizer'] !== optimizer.name || !Number.isSafeInteger(steps) || steps < 0) {
      throw new GatewiseError(
        'file',
        `trainer: expected a checkpoint of ${optimizer.name} with its steps, got optimizer ${show(metadata['optimizer'])} and steps ${show(metadata['steps'])}`,
      );
    }
    const prefixes = optimizer.states.map((state) => `optimizer.${state}.`);
    layout.checkKnown(tensors.keys(), ['', ...prefixes]);
    const flat = layout.fromTensors(tensors);
    const moments = prefixes.map((prefix) => layout.fromTensors(tensors, prefix));
    weights.backend.write(weights.buffer, flat);
    moments.forEach((moment, i) => weights.backend.write(this.#moments[i].buffer, moment));
    this.#steps = steps;
    return metadata;
  }

  #checkAlive(method: string): void {
    if (this.#disposed)
      throw new GatewiseError('disposed', `trainer: ${method}() after dispose(); make a new trainer`);
  }

  /** Frees the optimizer's states; the net stays. */
  dispose(): void {
    this.#disposed = true;
    this.#net.forget(this);
    this.#programs.clear();
    this.#lossValue.dispose();
    for (const tensor of this.#moments) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** min(1, limit / (norm + 1e-6)), the factor of torch.nn.utils.clip_grad_norm_. */
function clipFactor(gradient: Value, limit: number): Value {
  const norm = sqrt(sum(square(gradient)));
  return minimum(div(limit, add(norm, 1e-6)), 1);
}
