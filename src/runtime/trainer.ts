// Training: a step is one plan and one submit. The next step can be queued without reading anything back.
import { GatewiseError, show } from '../core/errors.ts';
import {
  flag,
  optional,
  positive,
  readOption,
  readOptions,
  seed,
  withMethods,
  type Complete,
} from '../core/options.ts';
import { Recent } from '../core/recent.ts';
import { checkMetadata } from '../io/safetensors.ts';
import type { Loss } from '../nn/loss.ts';
import { learningRate, rateAt, type LearningRate, type Optimizer } from '../nn/optimizer.ts';
import type { Plan } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import type { TunedKind } from '../backend/tuning.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { toHostTensor, type HostData } from './host.ts';
import { signatureKey, toArgument, type NetContext } from './net_context.ts';
import { trainingCutOf } from './padding.ts';
import { Program, type Argument } from './program.ts';
import { batchArguments, type StepOptions } from './step_arguments.ts';
import type { Tensor } from './tensor.ts';
import { TrainStates } from './train_states.ts';
import { momentName, traceStep, type StepRecipe } from './train_step.ts';

export interface TrainerOptions extends StepRecipe {
  /**
   * The seed of dropout and zoneout: a whole number from 0 to 2^53 - 1, 0 unless given. On one adapter the same seed, data and
   * weights give the same run bit for bit, also across a checkpoint.
   */
  readonly seed?: number;
  /**
   * Truncated back-propagation through time, with Keras's name: each step starts from the final states of the previous step,
   * so batches are consecutive pieces of B long sequences. No gradient flows between steps. See `resetStates`. False unless
   * given: each step starts from zero states.
   */
  readonly stateful?: boolean;
}

const OPTIONS = {
  loss: withMethods<Loss>('a loss such as crossEntropy or mse', 'apply'),
  optimizer: withMethods<Optimizer>('an optimizer such as adam({ lr: 1e-3 }) or sgd({ lr: 0.1 })', 'update'),
  clipValue: optional(positive()),
  clipNorm: optional(positive()),
  seed: seed(0),
  stateful: flag(false),
};

type StepArguments = Record<string, Argument> & {
  readonly input: Argument;
  readonly target: Argument;
  readonly lengths?: Argument;
};

/** Cached plans, for batches of different shapes. */
const MAX_PROGRAMS = 16;

export class Trainer implements Disposable {
  readonly #net: NetContext;
  readonly #options: Complete<typeof OPTIONS>;
  readonly #moments: readonly Tensor[];
  /** The model's states between steps; undefined unless stateful. */
  readonly #states: TrainStates | undefined;
  readonly #lossValue: Tensor;
  readonly #programs = new Recent<Program>(MAX_PROGRAMS, (program) => program.dispose());
  #learningRate: LearningRate;
  #steps = 0;
  #disposed = false;

  /** Made by `net.trainer`. */
  constructor(net: NetContext, options: TrainerOptions) {
    this.#options = readOptions('trainer', OPTIONS, options);
    const { optimizer, stateful } = this.#options;
    if (net.layout.entries.length === 0)
      throw new GatewiseError('unsupported', `trainer: ${net.model.name} has no parameters to train`);
    if (net.precision === 'int8')
      throw new GatewiseError(
        'unsupported',
        "trainer: the net was loaded with precision 'int8', which is for inference; load it with 'f16' or 'float32' to train",
      );
    this.#net = net;
    this.#learningRate = optimizer.lr;
    this.#states = stateful ? new TrainStates(net.model, net.runtime) : undefined;
    this.#moments = optimizer.states.map(() => net.runtime.allocate([net.layout.size], 'f32'));
    for (const tensor of this.#moments)
      tensor.backend.write(tensor.buffer, new Float32Array(net.layout.size));
    this.#lossValue = net.runtime.allocate([], 'f32');
  }

  /** The rate of the next step. Setting a number or a schedule replaces the optimizer's from the next step on. */
  get learningRate(): number {
    return rateAt(this.#learningRate, this.#steps);
  }

  set learningRate(rate: LearningRate) {
    this.#learningRate = readOption('trainer', 'learningRate', learningRate(), rate);
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
  step(x: Tensor | HostData, y: Tensor | HostData, options: StepOptions = {}): Promise<number> {
    this.#checkAlive('step');
    const rate = this.learningRate;
    const args = this.#arguments(x, y, options, rate);
    const program = this.#program(args);
    const replaced = [this.#net.weights, ...this.#moments, ...(this.#states?.tensors ?? [])];
    const outputs = [this.#lossValue, ...replaced].map(({ buffer }) => buffer);
    const [loss] = program.run(Object.values(args), outputs, [0]);
    this.#states?.advance();
    return this.#checkedLoss(loss, ++this.#steps, rate);
  }

  async #checkedLoss(read: Promise<ArrayLike<number>>, step: number, rate: number): Promise<number> {
    const [loss] = Array.from(await read);
    if (!Number.isFinite(loss)) {
      throw new GatewiseError(
        'not-finite',
        `trainer: the loss of step ${step} is ${loss}; expected a finite number. Lower the learning rate (${rate}) or clipNorm (${show(this.#options.clipNorm)}), and look for NaN in the input`,
      );
    }
    return loss;
  }

  /**
   * With `stateful`: the next step begins at zero states, and its batch may have another size.
   * @param rows of the batch, from 0, that begin at zero; the others go on. All unless given.
   * @throws GatewiseError `argument` where a row is not in the batch, `unsupported` without `stateful`.
   */
  resetStates(rows?: number | readonly number[]): void {
    this.#checkAlive('resetStates');
    if (this.#states === undefined)
      throw new GatewiseError(
        'unsupported',
        'trainer: resetStates() without stateful: true; each step begins at zero states anyway',
      );
    this.#states.reset(rows);
  }

  /** The plan of a step on such a batch. */
  plan(x: Tensor | HostData, y: Tensor | HostData, options: StepOptions = {}): Plan {
    this.#checkAlive('plan');
    return this.#program(this.#arguments(x, y, options, this.learningRate)).plan;
  }

  /** The plan of a step on such a batch, as text. */
  explain(x: Tensor | HostData, y: Tensor | HostData, options: StepOptions = {}): string {
    this.#checkAlive('explain');
    return this.#program(this.#arguments(x, y, options, this.learningRate)).explain();
  }

  /**
   * What each part of a step takes on such a batch, as `net.profile`. Nothing is trained: weights, optimizer, states, step
   * count and random numbers stay what they are.
   */
  async profile(x: Tensor | HostData, y: Tensor | HostData, options: StepOptions = {}): Promise<Profile> {
    this.#checkAlive('profile');
    const args = this.#arguments(x, y, options, this.learningRate);
    return this.#program(args).profile(Object.values(args));
  }

  /** Finds the fastest kernels for a step on such a batch, as `net.tune`. Nothing is trained. */
  async tune(
    x: Tensor | HostData,
    y: Tensor | HostData,
    options: StepOptions = {},
  ): Promise<readonly TunedKind[]> {
    this.#checkAlive('tune');
    const args = this.#arguments(x, y, options, this.learningRate);
    return this.#program(args).tune(Object.values(args));
  }

  #arguments(x: Tensor | HostData, y: Tensor | HostData, options: StepOptions, rate: number): StepArguments {
    const { loss, optimizer, seed } = this.#options;
    const scalars = Object.values(optimizer.scalars(this.#steps + 1, rate));
    const { input, ...rest } = batchArguments(this.#net, x, options, this.#states);
    return {
      weights: this.#net.weights,
      ...Object.fromEntries(optimizer.states.map((name, i) => [momentName(name), this.#moments[i]])),
      scalars: toHostTensor('trainer', scalars),
      input,
      target: toArgument('step: target', y, loss.targetDType),
      noise: { shape: [2], dtype: 'i32', data: Int32Array.of(seedWord(seed), this.#steps + 1) },
      ...rest,
    };
  }

  #program(args: StepArguments): Program {
    const net = this.#net;
    const { model, runtime } = net;
    const names = Object.keys(args);
    const list = Object.values(args);
    const cut = trainingCutOf(model, this.#options.loss, args);
    const make = (): Program =>
      new Program(
        runtime.backend,
        'step',
        list,
        (values) =>
          traceStep(net, this.#options, Object.fromEntries(names.map((name, i) => [name, values[i]])), cut),
        names,
      );
    return this.#programs.get(`${names.join()} ${cut?.kept}: ${signatureKey(list)}`, make);
  }

  /**
   * Weights, optimizer states, step count and, with `stateful`, the model's states as safetensors: all that a trainer with
   * the same options needs to go on as if nothing had happened.
   */
  async save(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.#checkAlive('save');
    checkMetadata('save', metadata);
    const { layout, weights } = this.#net;
    const steps = this.#steps;
    const [states, flat, ...moments] = await Promise.all([
      this.#states?.save() ?? new Map<string, never>(),
      ...[weights, ...this.#moments].map((tensor) => tensor.read()),
    ]);
    return writeCheckpoint(
      layout,
      this.#options.optimizer,
      { weights: flat, moments, states, steps },
      metadata,
    );
  }

  /** Goes on from what `save` wrote. @returns the metadata of the file. @throws GatewiseError `file` where it does not fit. */
  load(bytes: Uint8Array): Readonly<Record<string, string>> {
    this.#checkAlive('load');
    const { layout, weights } = this.#net;
    const file = readCheckpoint(layout, this.#options.optimizer, bytes);
    if (this.#states === undefined && file.states.size > 0)
      throw new GatewiseError(
        'file',
        'trainer: the checkpoint holds states of the model, as a stateful trainer saves them; make the trainer with stateful: true',
      );
    const restoreStates = this.#states?.restorer(file.states);
    weights.backend.write(weights.buffer, file.weights);
    file.moments.forEach((moment, i) => weights.backend.write(this.#moments[i].buffer, moment));
    restoreStates?.();
    this.#steps = file.steps;
    return file.metadata;
  }

  #checkAlive(method: string): void {
    if (this.#disposed)
      throw new GatewiseError('disposed', `trainer: ${method}() after dispose(); make a new trainer`);
  }

  /** Frees the states of the optimizer and of the model; the net stays. */
  dispose(): void {
    this.#disposed = true;
    this.#net.forget(this);
    this.#programs.clear();
    this.#lossValue.dispose();
    this.#states?.dispose();
    for (const tensor of this.#moments) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A seed of up to 53 bits as 32 bits: its low word, xored with a multiple of its high word. */
function seedWord(seed: number): number {
  return (seed | 0) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b9);
}
