// A model with its weights on a backend: run it, stream through it, train it, save it.
import { GatewiseError } from '../core/errors.ts';
import { checkOptions, readOptions, size } from '../core/options.ts';
import { sizeOf } from '../core/shape.ts';
import { checkMetadata, serializeSafetensors } from '../io/safetensors.ts';
import type { Layer } from '../nn/layer.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import type { HostData } from './host.ts';
import { Inspectable } from './inspectable.ts';
import type { NetContext } from './net_context.ts';
import type { ParameterLayout } from './parameters.ts';
import { ProgramCache, type Memory, type Prepared } from './program.ts';
import {
  extend,
  sequenceArguments,
  truncate,
  truncationOf,
  type SequenceOptions,
} from './sequence_arguments.ts';
import { givenStates, tracedStates, type GivenStates } from './states.ts';
import { Stream } from './stream.ts';
import type { Tensor } from './tensor.ts';
import { Trainer, type TrainerOptions } from './trainer.ts';

export interface RunOptions extends SequenceOptions {
  /** States before the first step, by name (an LSTM's `h` and `c`; in a Sequential `1.h`); zeros where absent. */
  readonly states?: GivenStates;
}

interface RunResult {
  readonly output: Tensor;
  readonly states: Record<string, Tensor>;
}

/** `plan`, `explain`, `profile` and `tune` are about `run`. */
export class Net extends Inspectable<[x: Tensor | HostData, options?: RunOptions]> implements NetContext {
  readonly runtime: Memory;
  readonly model: Layer;
  readonly layout: ParameterLayout;
  readonly precision: WeightPrecision;
  readonly programs: ProgramCache;
  readonly dependents = new Set<Disposable>();
  readonly #weights: Tensor;
  readonly #owner: Set<Disposable>;

  /** Made by `runtime.load`. */
  constructor(
    runtime: Memory,
    { model, precision }: Pick<NetContext, 'model' | 'precision'>,
    layout: ParameterLayout,
    weights: Tensor,
    owner: Set<Disposable>,
  ) {
    super();
    this.programs = new ProgramCache(runtime.backend);
    this.runtime = runtime;
    this.model = model;
    this.layout = layout;
    this.precision = precision;
    this.#weights = weights;
    this.#owner = owner;
    owner.add(this);
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

  /** Elements of all parameters. */
  get parameterCount(): number {
    return this.layout.entries.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /**
   * The model's output for a whole input, such as (T, B) tokens or (T, B, I) features. The caller owns the tensor.
   * States start at zero. Use `runWithStates` for final states, `stream` to continue step by step.
   */
  run(x: Tensor | HostData, options: RunOptions = {}): Tensor {
    return this.#run(x, options, false).output;
  }

  /** As `run`, with the states after the last step, by name. The caller owns all tensors. */
  runWithStates(x: Tensor | HostData, options: RunOptions = {}): RunResult {
    return this.#run(x, options, true);
  }

  #run(x: Tensor | HostData, options: RunOptions, withStates: boolean): RunResult {
    const { program, args } = this.prepare('run', x, options, withStates);
    return program.call(this.runtime, args) as RunResult;
  }

  /**
   * Records a run into commands of the application: no submit, no readback, and after the first call with the same tensors no
   * allocation. See `Compiled.encode`.
   * @param output Of the shape and dtype that `run` returns. @param options Of tensors.
   */
  encode(
    target: GPUCommandEncoder | GPUComputePassEncoder,
    x: Tensor,
    output: Tensor,
    options: RunOptions = {},
  ): void {
    const { program, args } = this.prepare('encode', x, options);
    program.encode(target, args, { output, states: {} });
  }

  protected prepare(_: string, x: Tensor | HostData, options: RunOptions = {}, withStates = false): Prepared {
    checkOptions('run', options, ['states', 'lengths', 'mask']);
    const { model, layout, precision } = this;
    const { input, ...sequences } = sequenceArguments('run', model, x, options);
    const states = givenStates('run', model, options.states);
    const args = { weights: this.weights, input, ...states, ...sequences };
    const truncation = truncationOf(model, { input, ...sequences });
    return this.programs.prepare({
      name: 'run',
      args,
      variant: `${withStates} ${truncation?.length}`,
      frozen: ['weights'],
      trace: ({ weights, input: whole, lengths, mask, ...others }) => {
        const parameters = layout.quantize(layout.unpack(weights), precision);
        const context = { ...(lengths && { lengths }), ...(mask && { mask }) };
        const initial = tracedStates(model, others);
        const result = model.forward(truncate(whole, truncation), parameters, initial, context);
        const names = withStates ? model.states.map(({ name }) => name) : [];
        return {
          outputs: {
            output: extend(result.output, truncation),
            states: Object.fromEntries(names.map((name) => [name, result.states[name]])),
          },
        };
      },
    });
  }

  /**
   * Runs the model step by step; states stay on the device from push to push.
   * @param options.batch B, the number of parallel sequences; 1 unless given.
   */
  stream(options: { readonly batch?: number } = {}): Stream {
    const { batch } = readOptions('stream', { batch: size(1) }, options);
    this.#checkAlive();
    return new Stream(this, batch);
  }

  /**
   * Trains the weights in place.
   * @throws GatewiseError `unsupported` if they were loaded with precision `int8`.
   */
  trainer(options: TrainerOptions): Trainer {
    this.#checkAlive();
    return new Trainer(this, options);
  }

  /** The weights as safetensors, with PyTorch's names and shapes. @param metadata strings to store beside them. */
  async save(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    checkMetadata('save', metadata);
    return serializeSafetensors(this.layout.toTensors(await this.weights.read()), {
      format: 'pt',
      ...metadata,
    });
  }

  /** Frees the weights, the plans, and the streams and trainers of this net. */
  dispose(): void {
    this.#owner.delete(this);
    for (const dependent of this.dependents) dependent[Symbol.dispose]();
    this.programs.clear();
    this.#weights.dispose();
  }
}
