// The states of a stateful trainer, on the device from step to step, and which rows of the batch start at zero.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import type { NamedTensor } from '../io/safetensors.ts';
import type { Layer } from '../nn/layer.ts';
import type { Memory, NamedArguments } from './program.ts';
import { stepsAndBatch } from './sequence_arguments.ts';
import { batchAxis, rowsOf, stateArgument, statesOf, stateTensors, type GivenStates } from './states.ts';
import type { Argument, Tensor } from './tensor.ts';

export class TrainStates {
  readonly #model: Layer;
  readonly #memory: Memory;
  /** In the model's order; none before the first step. */
  #tensors: readonly Tensor[] = [];
  /** (B): 1 for rows of the batch whose states continue, 0 for rows that start at zero. */
  #continues = new Float32Array(0);

  constructor(model: Layer, memory: Memory) {
    if (model.states.length === 0)
      throw new GatewiseError(
        'unsupported',
        `trainer: stateful needs recurrent states, and ${model.name} has none; leave it out`,
      );
    if (model.timeAxis === undefined)
      throw new GatewiseError(
        'unsupported',
        `trainer: stateful with ${model.name}, which takes single steps and has no axis of time; train a layer such as LSTM, whose weights it can load, or give each step its states`,
      );
    if (model.causal === false)
      throw new GatewiseError(
        'unsupported',
        `trainer: stateful with ${model.name}, which is bidirectional: what runs backwards cannot go on from an earlier batch`,
      );
    for (const state of model.states) batchAxis('trainer', state);
    this.#model = model;
    this.#memory = memory;
  }

  /** The states as arguments of a step on such an input, with `continues`. @param given The caller's, which are refused. */
  arguments(input: Argument, given: GivenStates | undefined): NamedArguments {
    if (given !== undefined)
      throw new GatewiseError(
        'argument',
        'step: states were given, but a stateful trainer begins with those of its last step; leave out one of the two',
      );
    const [, batch] = stepsAndBatch('step: a stateful trainer expects', this.#model, input);
    const { length } = this.#continues;
    if (length !== batch) {
      if (this.#continues.includes(1))
        throw new GatewiseError(
          'argument',
          `step: the batch has ${batch} sequences, but the states of the last step are those of ${length}; call resetStates() first`,
        );
      this.#allocate(batch);
    }
    return {
      continues: { shape: [batch], dtype: 'f32', data: this.#continues.slice() },
      ...Object.fromEntries(this.#model.states.map(({ name }, i) => [stateArgument(name), this.#tensors[i]])),
    };
  }

  #allocate(batch: number): void {
    this.dispose();
    this.#tensors = this.#model.states.map(({ shape }) => this.#memory.allocate(shape(batch), 'f32'));
    this.#continues = new Float32Array(batch);
  }

  /** Call this when a step has been queued. */
  advance(): void {
    this.#continues.fill(1);
  }

  /** @param rows of the batch; all unless given. */
  reset(rows?: number | readonly number[]): void {
    for (const row of rowsOf('resetStates', rows, this.#continues.length)) this.#continues[row] = 0;
  }

  /** Tensors for a file, by name; none if every row starts at zero. */
  async save(): Promise<Map<string, NamedTensor>> {
    const continues = this.#continues.slice();
    if (!continues.includes(1)) return new Map();
    const values = await Promise.all(
      this.#tensors.map(async (tensor, i) => {
        const { shape } = tensor;
        const axis = batchAxis('save', this.#model.states[i]);
        const inner = sizeOf(shape.slice(axis + 1));
        const row = (at: number): number => Math.floor(at / inner) % shape[axis];
        return Float32Array.from(await tensor.read(), (x, at) => (continues[row(at)] === 1 ? x : 0));
      }),
    );
    return stateTensors(this.#model, continues.length, values);
  }

  /** Checks states from a file. @returns what writes them to the device. */
  restorer(file: ReadonlyMap<string, NamedTensor>): () => void {
    if (file.size === 0) return () => this.reset();
    const [first] = this.#model.states;
    const batch = file.get(first.name)?.shape[batchAxis('load', first)] ?? 0;
    const states = statesOf('trainer', this.#model, batch, file);
    return () => {
      if (batch !== this.#continues.length) this.#allocate(batch);
      this.#tensors.forEach((tensor, i) => tensor.write(states[i]));
      this.advance();
    };
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose();
    this.#tensors = [];
    this.#continues = new Float32Array(0);
  }
}
