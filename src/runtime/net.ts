// A model with its weights on a backend: run it, stream through it, train it, save it.
import { GatewiseError } from '../core/errors.ts';
import { checkOptions, readOptions, size } from '../core/options.ts';
import { Recent } from '../core/recent.ts';
import { sizeOf } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import { checkMetadata, serializeSafetensors } from '../io/safetensors.ts';
import { type Layer, type Values } from '../nn/layer.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import type { Plan } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import { givenStates, type GivenStates } from './given_states.ts';
import type { TunedKind } from '../backend/tuning.ts';
import type { HostData } from './host.ts';
import { signatureKey, toArgument, type Memory, type NetContext } from './net_context.ts';
import { cutOf, withoutPadding, withPadding } from './padding.ts';
import type { ParameterLayout } from './parameters.ts';
import { Program, type Argument, type Traced } from './program.ts';
import { sequenceArguments, type SequenceOptions } from './sequences.ts';
import { Stream } from './stream.ts';
import type { Tensor } from './tensor.ts';
import { Trainer, type TrainerOptions } from './trainer.ts';

/** Plans kept for inputs of different shapes; beyond that the one unused for longest is made again when needed. */
const MAX_PROGRAMS = 16;

export interface RunOptions extends SequenceOptions {
  /** States before the first step, by name (an LSTM's `h` and `c`; in a Sequential `1.h`); zeros where absent. */
  readonly states?: GivenStates;
}

export class Net implements Disposable, NetContext {
  readonly runtime: Memory;
  readonly model: Layer;
  readonly layout: ParameterLayout;
  readonly precision: WeightPrecision;
  readonly #weights: Tensor;
  readonly #programs = new Recent<Program>(MAX_PROGRAMS, (program) => program.dispose());
  readonly #dependents = new Set<Disposable>();
  readonly #onDispose: () => void;

  /** Made by `runtime.load`. */
  constructor(
    runtime: Memory,
    { model, precision }: Pick<NetContext, 'model' | 'precision'>,
    layout: ParameterLayout,
    weights: Tensor,
    onDispose: () => void,
  ) {
    this.#onDispose = onDispose;
    this.runtime = runtime;
    this.model = model;
    this.layout = layout;
    this.precision = precision;
    this.#weights = weights;
  }

  /** All parameters, flat; the trainer updates them in place. */
  get weights(): Tensor {
    this.#checkAlive();
    return this.#weights;
  }

  #checkAlive(): void {
    if (this.#weights.isDisposed)
      throw new GatewiseError(
        'disposed',
        `${this.model.name}: the net was used after dispose(); load it again`,
      );
  }

  /** How many numbers the model learns. */
  get parameterCount(): number {
    return this.layout.entries.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /**
   * The model's output for a whole input, such as (T, B) tokens or (T, B, I) features. The caller owns the tensor.
   * States start from zero and are not kept: use `runWithStates` for final states, `stream` to go on step by step.
   */
  run(x: Tensor | HostData, options: RunOptions = {}): Tensor {
    const { output, states } = this.#run(x, options, false);
    Object.values(states).forEach((state) => state.dispose());
    return output;
  }

  /** As `run`, with the states after the last step, by name. The caller owns all tensors. */
  runWithStates(
    x: Tensor | HostData,
    options: RunOptions = {},
  ): { output: Tensor; states: Record<string, Tensor> } {
    return this.#run(x, options, true);
  }

  /** The plan of `run` for such an input, as text. */
  explain(x: Tensor | HostData, options: RunOptions = {}): string {
    return this.#prepare(x, options, false).program.explain();
  }

  /**
   * What each step of `run` takes on such an input, and on a GPU the least that it could take: see `printProfile`. It
   * calibrates first, and repeats each step for some 50 ms, in which nothing else should run on the device.
   * @throws GatewiseError `unsupported` (as a rejection) with `check: true`.
   */
  async profile(x: Tensor | HostData, options: RunOptions = {}): Promise<Profile> {
    const { program, args } = this.#prepare(x, options, false);
    return program.profile(args);
  }

  /**
   * Measures, for the steps of `run` on such an input, which of their kernels is fastest on this device, and goes by it from
   * the next run on, here and in all that is planned later: for each kind of step once, kept as `createRuntime` says.
   * Nothing else should run on the device meanwhile. On the CPU there is nothing to find out.
   * @returns what was measured: nothing where all was known.
   * @throws GatewiseError `unsupported` (as a rejection) with `check: true` or `tuning: false`.
   */
  async tune(x: Tensor | HostData, options: RunOptions = {}): Promise<readonly TunedKind[]> {
    const { program, args } = this.#prepare(x, options, false);
    return program.tune(args);
  }

  plan(x: Tensor | HostData, options: RunOptions = {}): Plan {
    return this.#prepare(x, options, false).program.plan;
  }

  #run(
    x: Tensor | HostData,
    options: RunOptions,
    withStates: boolean,
  ): { output: Tensor; states: Record<string, Tensor> } {
    const { program, args } = this.#prepare(x, options, withStates);
    const tensors = program.plan.outputs.map(({ view, dtype }) => this.runtime.allocate(view.shape, dtype));
    program.run(
      args,
      tensors.map((tensor) => tensor.buffer),
    );
    const [output, ...after] = tensors;
    return {
      output,
      states: Object.fromEntries(after.map((tensor, i) => [this.model.states[i].name, tensor])),
    };
  }

  /** The program for such an input, and what to run it with. */
  #prepare(
    x: Tensor | HostData,
    options: RunOptions,
    withStates: boolean,
  ): { program: Program; args: readonly Argument[] } {
    checkOptions('run', options, ['states', 'lengths', 'mask']);
    const initial = givenStates('run', this.model, options.states);
    const names = Object.keys(initial);
    const weights = this.weights;
    const input = this.input('run', x);
    const sequences = sequenceArguments('run', this.model, input, options);
    const told = Object.keys(sequences);
    const cut = cutOf(this.model, input, sequences.lengths);
    const args = [weights, input, ...Object.values(initial), ...Object.values(sequences)];
    const trace = ([flat, sequence, ...values]: readonly Value[]): Traced => {
      const named = (keys: readonly string[], from: number): Values =>
        Object.fromEntries(keys.map((key, i) => [key, values[from + i]]));
      const parameters = this.layout.quantize(this.layout.unpack(flat), this.precision);
      const context = named(told, names.length);
      const result = this.model.forward(withoutPadding(sequence, cut), parameters, named(names, 0), context);
      return {
        outputs: [
          withPadding(result.output, cut),
          ...(withStates ? this.model.states.map(({ name }) => result.states[name]) : []),
        ],
      };
    };
    const argumentNames = ['weights', 'input', ...names.map((name) => `state ${name}`), ...told];
    const key = `run ${argumentNames.join()} ${withStates} ${cut?.kept}`;
    return { program: this.program(key, args, trace, argumentNames), args };
  }

  program(
    key: string,
    args: readonly Argument[],
    trace: (args: readonly Value[]) => Traced,
    argumentNames: readonly string[] = [],
    known: readonly number[] = [],
  ): Program {
    const settled = args.flatMap((arg, i) => (arg === this.#weights ? [i] : []));
    const make = (): Program =>
      new Program(this.runtime.backend, key.split(' ')[0], args, trace, argumentNames, settled, known);
    return this.#programs.get(`${key}: ${signatureKey(args)}`, make);
  }

  input(what: string, x: Tensor | HostData): Argument {
    return toArgument(`${what}: input`, x, this.model.inputDType);
  }

  /**
   * Goes through a sequence step by step; states stay on the device from push to push.
   * @param options.batch sequences side by side; 1 unless given.
   */
  stream(options: { readonly batch?: number } = {}): Stream {
    const { batch } = readOptions('stream', { batch: size(1) }, options);
    this.#checkAlive();
    return this.keep(new Stream(this, batch));
  }

  /**
   * Trains the weights in place.
   * @throws GatewiseError `unsupported` where they were loaded with precision `int8`.
   */
  trainer(options: TrainerOptions): Trainer {
    this.#checkAlive();
    return this.keep(new Trainer(this, options));
  }

  forget(dependent: Disposable): void {
    this.#dependents.delete(dependent);
  }

  keep<T extends Disposable>(dependent: T): T {
    this.#dependents.add(dependent);
    return dependent;
  }

  /** The weights as safetensors, with PyTorch's names and shapes. @param metadata strings to store beside them. */
  async save(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    checkMetadata('save', metadata);
    return serializeSafetensors(this.layout.toTensors(await this.weights.read()), {
      format: 'pt',
      ...metadata,
    });
  }

  /** Frees the weights, the plans, and what was made from this net. */
  dispose(): void {
    this.#onDispose();
    for (const dependent of this.#dependents) dependent[Symbol.dispose]();
    this.#programs.clear();
    this.#weights.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
