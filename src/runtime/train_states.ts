// The states of a stateful trainer, on the device from step to step, and which rows of the batch begin at zero.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, sizeOf, type Shape } from '../core/shape.ts';
import type { NamedTensor } from '../io/safetensors.ts';
import type { Layer } from '../nn/layer.ts';
import type { Memory } from './net_context.ts';
import type { Argument } from './program.ts';
import { batchAxis, rowsOf } from './state_rows.ts';
import type { Tensor } from './tensor.ts';

export class TrainStates {
  readonly #model: Layer;
  readonly #memory: Memory;
  #tensors: readonly Tensor[] = [];
  /** For each row of the batch 1 where its states go on, 0 where they begin at zero. */
  #kept = new Float32Array(0);

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

  /** One for each of the model's states, in its order; none before the first step. */
  get tensors(): readonly Tensor[] {
    return this.#tensors;
  }

  /** For a step on a batch of this size: what says which rows go on. */
  prepare(batch: number): Argument {
    const { length } = this.#kept;
    if (length !== batch) {
      if (this.#kept.includes(1))
        throw new GatewiseError(
          'argument',
          `step: the batch has ${batch} sequences, but the states of the last step are those of ${length}; call resetStates() first`,
        );
      this.#allocate(batch);
    }
    return { shape: [batch], dtype: 'f32', data: this.#kept.slice() };
  }

  #allocate(batch: number): void {
    this.dispose();
    this.#tensors = this.#model.states.map(({ shape }) => this.#memory.allocate(shape(batch), 'f32'));
    this.#kept = new Float32Array(batch);
  }

  /** To be called when a step has been queued. */
  advance(): void {
    this.#kept.fill(1);
  }

  /** @param rows of the batch; all unless given. */
  reset(rows?: number | readonly number[]): void {
    for (const row of rowsOf('resetStates', rows, this.#kept.length)) this.#kept[row] = 0;
  }

  /** Copies for a file, by name; none where the next step begins at zero anyway. */
  async save(): Promise<Map<string, NamedTensor>> {
    const kept = this.#kept.slice();
    if (!kept.includes(1)) return new Map();
    const states = await Promise.all(this.#tensors.map((tensor) => tensor.read()));
    return new Map(
      this.#model.states.map((state, i) => {
        const { shape } = this.#tensors[i];
        const row = rowOf(shape, batchAxis('save', state));
        const data = Float32Array.from(states[i], (x, at) => (kept[row(at)] === 1 ? x : 0));
        return [state.name, { shape, dtype: 'f32', data }];
      }),
    );
  }

  /** Checks states from a file. @returns what takes them over. */
  restorer(file: ReadonlyMap<string, NamedTensor>): () => void {
    if (file.size === 0) return () => this.reset();
    const [first] = this.#model.states;
    const batch = file.get(first.name)?.shape[batchAxis('load', first)] ?? 0;
    const states = this.#model.states.map(({ name, shape }) => {
      const tensor = file.get(name);
      if (tensor === undefined || tensor.dtype !== 'f32' || !sameShape(tensor.shape, shape(batch)))
        throw new GatewiseError(
          'file',
          `trainer: expected state ${show(name)} as f32 ${show(shape(batch))}, got ${tensor === undefined ? 'none' : `${tensor.dtype} ${show(tensor.shape)}`}; was the file saved from another model?`,
        );
      return tensor.data;
    });
    return () => {
      if (batch !== this.#kept.length) this.#allocate(batch);
      this.#tensors.forEach((tensor, i) => tensor.write(states[i]));
      this.advance();
    };
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose();
    this.#tensors = [];
    this.#kept = new Float32Array(0);
  }
}

/** Which row of the batch an element belongs to. */
function rowOf(shape: Shape, axis: number): (at: number) => number {
  const inner = sizeOf(shape.slice(axis + 1));
  return (at) => Math.floor(at / inner) % shape[axis];
}
