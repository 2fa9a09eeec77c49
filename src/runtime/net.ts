// A model with its weights on a backend: run it, stream through it, train it, save it.
import { refuseProxy } from '../core/refuse_proxy.ts';
import { GatewiseError } from '../core/errors.ts';
import { checkOptions, readOptions, size } from '../core/options.ts';
import { sizeOf } from '../core/shape.ts';
import { joined, listOf } from '../core/tree.ts';
import { checkMetadata, serializeSafetensors } from '../io/safetensors.ts';
import { CaptureRecord, readCapture } from '../nn/capture.ts';
import type { Layer } from '../nn/layer.ts';
import type { HostData } from './host.ts';
import type { LoadedModel } from './loaded_model.ts';
import type { NetContext } from './net_context.ts';
import { weightsOf } from './parameters.ts';
import { PREPARE, Program, type Planned, type Prepared } from './program.ts';
import {
  extend,
  sequenceArguments,
  truncate,
  truncationOf,
  type SequenceArguments,
  type SequenceOptions,
  type Truncation,
} from './sequence_arguments.ts';
import { givenStates, type GivenStates, type StateArguments } from './states.ts';
import { Stream } from './stream.ts';
import { StreamPrograms } from './stream_programs.ts';
import type { Argument, Tensor } from './tensor.ts';

export interface RunOptions extends SequenceOptions {
  /** States before the first step, by name (an LSTM's `h` and `c`; in a Sequential `1.h`); zeros where absent. */
  readonly states?: GivenStates;
}

/** A run that also shows states and gates of layers at each step. */
export interface CaptureOptions {
  /**
   * Names such as `h`, `c` or `gates` of a recurrent layer; in a Sequential `1.h`. States are (T, L·D, B, W), in time order, and gates
   * (T, L·D, B, G, H): sums before the cell's nonlinear functions, in the order of `weight_ih`; of a gate that is kept apart (GRU's n) the
   * input part. T comes first also with `batchFirst`.
   */
  readonly capture: readonly string[];
}

export interface CapturedRun {
  readonly output: Tensor;
  readonly captured: Readonly<Record<string, Tensor>>;
}

interface RunResult {
  readonly output: Tensor;
  readonly states: Record<string, Tensor>;
  readonly captured: Record<string, Tensor>;
}

/** The arguments of a run. */
type RunArguments = SequenceArguments & {
  readonly weights: Argument | readonly Argument[];
  readonly states: StateArguments;
};

/** What the graph of a run depends on besides. */
interface RunStatics {
  readonly withStates: boolean;
  readonly capture: readonly string[];
  readonly truncation: Truncation | undefined;
}

export class Net implements Planned<[x: Tensor | HostData, options?: RunOptions]>, Disposable {
  readonly model: Layer;
  /** @internal */
  readonly context: NetContext;
  readonly #weights: readonly Tensor[];
  readonly #program: Program<RunArguments, RunStatics>;
  readonly #owner: Set<Disposable>;
  #disposed = false;

  static {
    refuseProxy(this, 'net', (object) => #weights in object);
  }

  /** Made by `runtime.load`. @internal */
  constructor(loaded: LoadedModel, weights: readonly Tensor[], owner: Set<Disposable>) {
    const alive = (): readonly Tensor[] => this.#alive;
    this.model = loaded.model;
    this.context = {
      ...loaded,
      get weights() {
        return alive();
      },
      streamPrograms: new StreamPrograms(loaded),
      dependents: new Set(),
    };
    this.#weights = weights;
    this.#program = runProgram(loaded);
    this.#owner = owner;
    owner.add(this);
  }

  get #alive(): readonly Tensor[] {
    this.#checkAlive();
    return this.#weights;
  }

  #checkAlive(): void {
    if (this.#disposed)
      throw new GatewiseError(
        'disposed',
        `${this.model.name}: the net was used after dispose(); load it again`,
      );
  }

  /** Elements of all parameters. */
  get parameterCount(): number {
    return this.context.layout.entries.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /**
   * The model's output for a whole input, such as (T, B) tokens or (T, B, I) features. The caller owns the tensor.
   * States start at zero. Use `runWithStates` for final states, `stream` to continue step by step.
   */
  run(x: Tensor | HostData, options?: RunOptions): Tensor;
  /** As above, with what was captured, by name. The caller owns all tensors. */
  run(x: Tensor | HostData, options: RunOptions & CaptureOptions): CapturedRun;
  run(x: Tensor | HostData, options: RunOptions & Partial<CaptureOptions> = {}): Tensor | CapturedRun {
    const { output, captured } = this.#run(x, options, false);
    return options.capture === undefined ? output : { output, captured };
  }

  /** As `run`, with the states after the last step, by name. The caller owns all tensors. */
  runWithStates(
    x: Tensor | HostData,
    options: RunOptions = {},
  ): { readonly output: Tensor; readonly states: Record<string, Tensor> } {
    const { output, states } = this.#run(x, options, true);
    return { output, states };
  }

  #run(x: Tensor | HostData, options: RunOptions & Partial<CaptureOptions>, withStates: boolean): RunResult {
    const { specialization, args } = this.#prepare(x, options, withStates);
    return specialization.call(this.context.runtime, args) as RunResult;
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
    const { specialization, args } = this.#prepare(x, options, false);
    specialization.encode(target, args, { output });
  }

  #prepare(
    x: Tensor | HostData,
    options: RunOptions & Partial<CaptureOptions>,
    withStates: boolean,
  ): Prepared {
    checkOptions('run', options, ['states', 'lengths', 'mask', 'capture']);
    const capture = readCapture('run', options.capture);
    const { model } = this;
    const weights = joined(this.#alive);
    const sequences = sequenceArguments('run', model, x, options);
    const states = givenStates('run', model, options.states);
    const truncation = capture.length > 0 ? undefined : truncationOf(model, sequences);
    return this.#program.prepare({ weights, ...sequences, states }, { withStates, truncation, capture });
  }

  [PREPARE](_: string, x: Tensor | HostData, options: RunOptions = {}): readonly Prepared[] {
    return [this.#prepare(x, options, false)];
  }

  /**
   * Runs the model step by step; states stay on the device from push to push.
   * @param options.batch B, the number of parallel sequences; 1 unless given.
   */
  stream(options: { readonly batch?: number } = {}): Stream {
    const { batch } = readOptions('stream', { batch: size(1) }, options);
    this.#checkAlive();
    return new Stream(this.context, batch);
  }

  /** The weights as safetensors, with PyTorch's names and shapes. @param metadata strings to store beside them. */
  async save(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    checkMetadata('save', metadata);
    const flats = await Promise.all(this.#alive.map((flat) => flat.read()));
    return serializeSafetensors(this.context.layout.toTensors(flats), {
      format: 'pt',
      ...metadata,
    });
  }

  /**
   * Replaces the weights by those of a safetensors file, in place: streams go on with them, and a trainer trains them.
   * @returns The metadata of the file. @throws GatewiseError `file` if it does not fit; the weights then do not change.
   */
  load(bytes: Uint8Array): Readonly<Record<string, string>> {
    const { flats, metadata } = weightsOf('load', this.context.layout, bytes);
    this.#alive.forEach((tensor, i) => tensor.write(flats[i]));
    return metadata;
  }

  /** Frees the weights, the plans, and the streams and trainers of this net. */
  dispose(): void {
    const { dependents, streamPrograms } = this.context;
    this.#disposed = true;
    this.#owner.delete(this);
    for (const dependent of dependents) dependent[Symbol.dispose]();
    this.#program.dispose();
    streamPrograms.dispose();
    for (const flat of this.#weights) flat.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The output of a model for whole sequences, and if asked its final states. */
function runProgram({ runtime, model, layout, precision }: LoadedModel): Program<RunArguments, RunStatics> {
  return new Program(runtime, {
    name: 'run',
    frozen: ['weights'],
    trace: ({ weights, input, states, lengths, mask }, { withStates, truncation, capture }) => {
      const parameters = layout.quantize(layout.unpack(listOf(weights)), precision);
      const record = new CaptureRecord(capture);
      const asked = capture.length > 0 && { capture: record };
      const context = { ...(lengths && { lengths }), ...(mask && { mask }), ...asked };
      const result = model.forward(truncate(input, truncation), parameters, states, context);
      const names = withStates ? model.states.map(({ name }) => name) : [];
      return {
        outputs: {
          output: extend(result.output, truncation),
          states: Object.fromEntries(names.map((name) => [name, result.states[name]])),
          captured: record.values('run'),
        },
      };
    },
  });
}
