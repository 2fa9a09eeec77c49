// Training: a step is one plan and one submit. The next step can be queued without reading anything back.
import { refuseProxy } from '../core/refuse_proxy.ts';
import { GatewiseError, show } from '../core/errors.ts';
import {
  checkOptions,
  flag,
  oneOf,
  optional,
  positive,
  readOption,
  readOptions,
  seed,
  withMethods,
  type Complete,
} from '../core/options.ts';
import { joined } from '../core/tree.ts';
import { checkMetadata, parseSafetensors, serializeSafetensors } from '../io/safetensors.ts';
import type { NamedTensor } from '../io/file_dtypes.ts';
import type { Loss } from './loss.ts';
import { learningRate, rateAt, STATE_OPTIONS, type LearningRate, type Optimizer } from './optimizer.ts';
import { toHostTensor, type HostData } from '../runtime/host.ts';
import { readCapture } from '../nn/capture.ts';
import type { CaptureOptions, Net } from '../runtime/net.ts';
import type { NetContext } from '../runtime/net_context.ts';
import { PREPARE, Program, type Planned, type Prepared } from '../runtime/program.ts';
import {
  sequenceArguments,
  truncationOf,
  type SequenceOptions,
  type Truncation,
} from '../runtime/sequence_arguments.ts';
import { givenStates, type GivenStates } from '../runtime/states.ts';
import { toArgument, type Tensor } from '../runtime/tensor.ts';
import { TrainStates } from './train_states.ts';
import { hasSameSteps, traceStep, type StepArguments, type StepRecipe } from './train_step.ts';

/**
 * `lengths` or `mask` go to the model's layers, and to the loss if there is a target for each step. Labels of masked steps must
 * still be one of the classes or the loss's ignored index.
 */
export interface StepOptions extends SequenceOptions {
  /** States before the first step, by name, as in `net.run`; zeros where absent. Not with `stateful`. */
  readonly states?: GivenStates;
}

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
  onNonFinite: oneOf(['throw', 'skip', 'apply'], 'throw'),
  seed: seed(0),
  stateful: flag(false),
};

type StepParameters = [x: Tensor | HostData, y: Tensor | HostData, options?: StepOptions];

/** What the graph of a step depends on besides. */
interface StepStatics {
  readonly truncation: Truncation | undefined;
  readonly capture: readonly string[];
}

/** A step that also shows states and gates of layers at each step of time, and the gradients of the loss with respect to them. */
export interface CapturedStep {
  readonly loss: Promise<number>;
  /** By name, of the shapes that `net.run` captures. */
  readonly values: Readonly<Record<string, Tensor>>;
  /** ∂loss/∂h_t, ∂loss/∂c_t and so on for every t, of the same shapes. */
  readonly gradients: Readonly<Record<string, Tensor>>;
}

export class Trainer implements Planned<StepParameters>, Disposable {
  readonly #net: NetContext;
  readonly #options: Complete<typeof OPTIONS>;
  /** Of each state of the optimizer its flat tensors, like the weights. */
  readonly #optimizerStates: readonly (readonly Tensor[])[];
  /** The model's states between steps; undefined unless stateful. */
  readonly #states: TrainStates | undefined;
  readonly #lossValue: Tensor;
  readonly #program: Program<StepArguments, StepStatics>;
  #learningRate: LearningRate;
  #steps = 0;
  #disposed = false;

  static {
    refuseProxy(this, 'trainer', (object) => #options in object);
  }

  /**
   * Trains the weights of a net in place.
   * @throws GatewiseError `unsupported` if they were loaded with precision `int8`.
   */
  constructor(net: Net, options: TrainerOptions) {
    const { context } = net;
    this.#options = readOptions('trainer', OPTIONS, options);
    const { weights } = context;
    const { optimizer, stateful } = this.#options;
    if (context.layout.entries.length === 0)
      throw new GatewiseError('unsupported', `trainer: ${context.model.name} has no parameters to train`);
    if (context.precision === 'int8')
      throw new GatewiseError(
        'unsupported',
        "trainer: the net was loaded with precision 'int8', which is for inference; load it with 'f16' or 'float32' to train",
      );
    this.#net = context;
    this.#program = new Program(context.runtime, {
      name: 'step',
      trace: (args, { truncation, capture }) => traceStep(context, this.#options, args, truncation, capture),
    });
    this.#learningRate = optimizer.lr;
    this.#states = stateful ? new TrainStates(context.model, context.runtime) : undefined;
    this.#optimizerStates = optimizer.states.map(() =>
      weights.map(({ shape: [size] }) => {
        const tensor = context.runtime.allocate([size], 'f32');
        tensor.write(new Float32Array(size));
        return tensor;
      }),
    );
    this.#lossValue = context.runtime.allocate([], 'f32');
    context.dependents.add(this);
  }

  /** The rate of the next step. Setting a number or a schedule replaces the optimizer's from the next step on. */
  get learningRate(): number {
    return rateAt(this.#learningRate, this.#steps);
  }

  set learningRate(rate: LearningRate) {
    this.#learningRate = readOption('trainer', 'learningRate', learningRate(), rate);
  }

  /** The flat tensors of the weights and of the optimizer's states, as `prefixesOf` lists them. */
  get #flats(): readonly (readonly Tensor[])[] {
    return [this.#net.weights, ...this.#optimizerStates];
  }

  /** Steps taken so far. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Queues one training step and resolves with its loss before the update. The next step can be queued without awaiting it.
   * @throws GatewiseError at once if the batch does not fit, and `not-finite` (as a rejection) if the loss is NaN or infinite and
   *   `onNonFinite` is `throw`.
   */
  step(x: Tensor | HostData, y: Tensor | HostData, options?: StepOptions): Promise<number>;
  /** As above, with what was captured. The caller owns the tensors. */
  step(x: Tensor | HostData, y: Tensor | HostData, options: StepOptions & CaptureOptions): CapturedStep;
  step(
    x: Tensor | HostData,
    y: Tensor | HostData,
    options: StepOptions & Partial<CaptureOptions> = {},
  ): Promise<number> | CapturedStep {
    const { specialization, args } = this.#prepare('step', x, y, options);
    const rate = this.learningRate;
    const { tensors, tree } = specialization.allocate(this.#net.runtime, ['captured']);
    const buffers = tensors.map((tensor) => tensor?.buffer);
    const [read] = specialization.run(args, [this.#lossValue.buffer, ...buffers.slice(1)], [0]);
    this.#states?.advance();
    const loss = this.#checkedLoss(read, ++this.#steps, rate);
    if (options.capture === undefined) return loss;
    const { captured } = tree as { readonly captured: Omit<CapturedStep, 'loss'> };
    return { loss, ...captured };
  }

  async #checkedLoss(read: Promise<ArrayLike<number>>, step: number, rate: number): Promise<number> {
    const [loss] = Array.from(await read);
    const { onNonFinite } = this.#options;
    if (!Number.isFinite(loss) && onNonFinite === 'throw') {
      throw new GatewiseError(
        'not-finite',
        `trainer: the loss of step ${step} is ${loss}; expected a finite number. The step was skipped: the weights are as before. Lower the learning rate (${rate}) or clipNorm (${show(this.#options.clipNorm)}), and look for NaN in the input`,
      );
    }
    return loss;
  }

  /**
   * With `stateful`: the next step starts at zero states, and its batch may have another size.
   * @param rows Rows of the batch, from 0, that start at zero; the others continue. All unless given.
   * @throws GatewiseError `argument` if a row is not in the batch, `unsupported` without `stateful`.
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

  [PREPARE](method: string, ...args: StepParameters): readonly Prepared[] {
    return [this.#prepare(method, ...args)];
  }

  #prepare(
    method: string,
    x: Tensor | HostData,
    y: Tensor | HostData,
    options: StepOptions & Partial<CaptureOptions> = {},
  ): Prepared {
    this.#checkAlive(method);
    checkOptions('step', options, ['lengths', 'mask', 'states', 'capture']);
    const capture = readCapture('step', options.capture);
    const net = this.#net;
    const { loss, optimizer, seed } = this.#options;
    const step = this.#steps + 1;
    const scalars = Object.values(optimizer.scalars(step, this.learningRate));
    const sequences = sequenceArguments('step', net.model, x, options);
    const { input } = sequences;
    const { states, ...continues } = this.#states?.arguments(input, options.states) ?? {
      states: givenStates('step', net.model, options.states),
    };
    const target = toArgument('step: target', y, loss.targetDType);
    const args: StepArguments = {
      weights: joined(net.weights),
      optimizer: Object.fromEntries(
        optimizer.states.map((name, i) => [name, joined(this.#optimizerStates[i])]),
      ),
      scalars: toHostTensor('trainer', scalars),
      target,
      noise: { shape: [2], dtype: 'i32', data: Int32Array.of(seedWord(seed), step) },
      ...sequences,
      states,
      ...continues,
    };
    const truncates = loss.ignoresPadding === true && hasSameSteps(target, input) && capture.length === 0;
    const truncation = truncates ? truncationOf(net.model, sequences) : undefined;
    return this.#program.prepare(args, { truncation, capture });
  }

  /**
   * Weights, optimizer states, step count and, with `stateful`, the model's states as safetensors: all that a trainer with
   * the same options needs to continue as if uninterrupted.
   */
  async save(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    this.#checkAlive('save');
    checkMetadata('save', metadata);
    const { optimizer } = this.#options;
    const steps = this.#steps;
    const [states, ...flats] = await Promise.all([
      this.#states?.save(STATE_PREFIX) ?? new Map<string, NamedTensor>(),
      ...this.#flats.map((tensors) => Promise.all(tensors.map((tensor) => tensor.read()))),
    ]);
    const prefixes = prefixesOf(optimizer);
    const tensors = new Map([
      ...flats.flatMap((flat, i) => Array.from(this.#net.layout.toTensors(flat, prefixes[i]))),
      ...states,
    ]);
    return serializeSafetensors(tensors, {
      ...metadata,
      format: 'pt',
      optimizer: optimizer.name,
      steps: String(steps),
    });
  }

  /** Restores what `save` wrote. @returns the metadata of the file. @throws GatewiseError `file` if it does not fit. */
  load(bytes: Uint8Array): Readonly<Record<string, string>> {
    this.#checkAlive('load');
    const { layout } = this.#net;
    const { optimizer } = this.#options;
    const { tensors, metadata } = parseSafetensors(bytes);
    const steps = Number(metadata['steps']);
    if (metadata['optimizer'] !== optimizer.name || !Number.isSafeInteger(steps) || steps < 0)
      throw new GatewiseError(
        'file',
        `trainer: expected a checkpoint of ${optimizer.name} with its steps, got optimizer ${show(metadata['optimizer'])} and steps ${show(metadata['steps'])}; trainer.save() writes one, net.save() the weights alone`,
      );
    const parameters = new Set(layout.entries.map(({ name }) => name));
    checkSameStates(
      optimizer,
      [...tensors.keys()].filter((name) => !parameters.has(name)),
    );
    const isState = (name: string): boolean => name.startsWith(STATE_PREFIX) && !parameters.has(name);
    const entries = [...tensors];
    const states = new Map(entries.filter(([name]) => isState(name)));
    const others = new Map(entries.filter(([name]) => !isState(name)));
    const flats = layout.fromTensors('weights', others, prefixesOf(optimizer));
    if (this.#states === undefined && states.size > 0)
      throw new GatewiseError(
        'file',
        'trainer: the checkpoint holds states of the model, as a stateful trainer saves them; make the trainer with stateful: true',
      );
    const restoreStates = this.#states?.restorer(states, STATE_PREFIX);
    // Written only after everything was checked.
    this.#flats.forEach((tensors, i) => tensors.forEach((tensor, k) => tensor.write(flats[i][k])));
    restoreStates?.();
    this.#steps = steps;
    return metadata;
  }

  #checkAlive(method: string): void {
    if (this.#disposed)
      throw new GatewiseError('disposed', `trainer: ${method}() after dispose(); make a new trainer`);
  }

  /** Frees the states of the optimizer and of the model; the net stays. */
  dispose(): void {
    this.#disposed = true;
    this.#net.dependents.delete(this);
    this.#program.dispose();
    this.#lossValue.dispose();
    this.#states?.dispose();
    for (const tensor of this.#optimizerStates.flat()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The prefixes of parameter names in a checkpoint: none for the weights, then one for each state of the optimizer. */
const prefixesOf = ({ states }: Optimizer): string[] => ['', ...states.map((state) => `optimizer.${state}.`)];

/**
 * Throws unless a checkpoint has the states of this optimizer, which depend on its options.
 * @param names Of the tensors of the checkpoint other than parameters of the model.
 */
function checkSameStates(optimizer: Optimizer, names: readonly string[]): void {
  const { name, states } = optimizer;
  const [, ...prefixes] = prefixesOf(optimizer);
  const others = names.filter((key) => !prefixes.some((prefix) => key.startsWith(prefix)));
  const more = [...new Set(others.flatMap((key) => /^optimizer\.([^.]+)\./.exec(key)?.[1] ?? []))];
  const fewer = states.filter((_, i) => !names.some((key) => key.startsWith(prefixes[i])));
  const optionsOf = (list: readonly string[]): string =>
    list.map((state) => STATE_OPTIONS[state] ?? state).join(', ');
  if (more.length + fewer.length > 0)
    throw new GatewiseError(
      'file',
      `trainer: the checkpoint was saved by ${name} with other options than this trainer's: ${[
        ...(more.length > 0
          ? [
              `it has ${more.map((one) => show(one)).join(', ')}, so make the optimizer with ${optionsOf(more)}`,
            ]
          : []),
        ...(fewer.length > 0
          ? [
              `it has no ${fewer.map((one) => show(one)).join(', ')}, so make the optimizer without ${optionsOf(fewer)}`,
            ]
          : []),
      ].join('; ')}`,
    );
}

/** The prefix of the names of the model's states in a checkpoint. */
const STATE_PREFIX = 'state.';

/** A seed of up to 53 bits as 32 bits: its low word, xored with a multiple of its high word. */
function seedWord(seed: number): number {
  return (seed | 0) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b9);
}
