// The states of a stateful trainer, on the device from step to step, and which rows of the batch start at zero.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import type { NamedTensor } from '../io/file_dtypes.ts';
import type { Layer } from '../nn/layer.ts';
import type { Memory } from '../runtime/specialization.ts';
import { stepsAndBatch } from '../runtime/sequence_arguments.ts';
import { flatsFromTensors } from '../runtime/flat_layout.ts';
import { StateLayout } from '../runtime/state_layout.ts';
import { batchAxis, rowsOf, type GivenStates } from '../runtime/states.ts';
import type { Argument, Tensor } from '../runtime/tensor.ts';

interface StatefulArguments {
  /** (B), as `#continues`. */
  readonly continues: Argument;
  /** All states, flat. */
  readonly states: Tensor;
}

export class TrainStates {
  readonly #model: Layer;
  readonly #memory: Memory;
  /** All states, flat; absent before the first step. */
  #tensor: Tensor | undefined;
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

  /** `states` and `continues` as arguments of a step on such an input. @param given States of the caller, which are refused. */
  arguments(input: Argument, given: GivenStates | undefined): StatefulArguments {
    if (given !== undefined)
      throw new GatewiseError(
        'argument',
        'step: states were given, but a stateful trainer begins with those of its last step; leave out one of the two',
      );
    const [, batch] = stepsAndBatch('step: a stateful trainer expects', this.#model, input);
    const { length } = this.#continues;
    if (length !== batch && this.#continues.includes(1))
      throw new GatewiseError(
        'argument',
        `step: the batch has ${batch} sequences, but the states of the last step are those of ${length}; call resetStates() first`,
      );
    const states = this.#allocated(batch);
    return { continues: { shape: [batch], dtype: 'f32', data: this.#continues.slice() }, states };
  }

  get #layout(): StateLayout {
    return new StateLayout(this.#model.states, this.#continues.length);
  }

  /** The tensor for a batch of this many rows; a new one if the number has changed. */
  #allocated(batch: number): Tensor {
    if (this.#tensor === undefined || batch !== this.#continues.length) {
      const { size } = new StateLayout(this.#model.states, batch);
      // Allocated first: if that throws, the trainer is as it was.
      const tensor = this.#memory.allocate([size], 'f32');
      this.#tensor?.dispose();
      this.#tensor = tensor;
      this.#continues = new Float32Array(batch);
    }
    return this.#tensor;
  }

  /** Records that a step has been queued: all rows now continue. */
  advance(): void {
    this.#continues.fill(1);
  }

  /** @param rows Rows of the batch; all unless given. */
  reset(rows?: number | readonly number[]): void {
    for (const row of rowsOf('resetStates', rows, this.#continues.length)) this.#continues[row] = 0;
  }

  /** Tensors for a file, their names with the prefix; none if every row starts at zero. */
  async save(prefix: string): Promise<ReadonlyMap<string, NamedTensor>> {
    const continues = this.#continues.slice();
    if (this.#tensor === undefined || !continues.includes(1)) return new Map();
    const tensors = this.#layout.toTensors(await this.#tensor.read(), prefix);
    for (const state of this.#model.states) {
      const { shape, data } = tensors.get(prefix + state.name) as NamedTensor;
      const axis = batchAxis('save', state);
      const inner = sizeOf(shape.slice(axis + 1));
      data.forEach((_, at) => {
        if (continues[Math.floor(at / inner) % shape[axis]] === 0) data[at] = 0;
      });
    }
    return tensors;
  }

  /** Checks states from a file. @returns A function that writes them to the device. */
  restorer(file: ReadonlyMap<string, NamedTensor>, prefix: string): () => void {
    if (file.size === 0) return () => this.reset();
    const [first] = this.#model.states;
    const batch = file.get(prefix + first.name)?.shape[batchAxis('load', first)] ?? 0;
    const layout = new StateLayout(this.#model.states, batch);
    const [[data]] = flatsFromTensors('trainer', 'state', [layout], file, [prefix]);
    return () => {
      this.#allocated(batch).write(data);
      this.advance();
    };
  }

  dispose(): void {
    this.#tensor?.dispose();
  }
}
