// All states of a model in one flat tensor, one behind the other in the model's order: what a step reads and writes as one.
import { sizeOf, type Shape } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { State } from '../nn/layer.ts';
import { concat, reshape, slice } from '../ops/structure.ts';

export class StateLayout {
  /** Elements of the flat tensor. */
  readonly size: number;
  readonly #entries: readonly { readonly name: string; readonly shape: Shape; readonly start: number }[];

  constructor(states: readonly State[], batch: number) {
    let size = 0;
    this.#entries = states.map(({ name, shape }) => {
      const entry = { name, shape: shape(batch), start: size };
      size += sizeOf(entry.shape);
      return entry;
    });
    this.size = size;
  }

  /** Each state as a view of the flat tensor, in the model's order. */
  unpack(flat: Value): Value[] {
    return this.#entries.map(({ shape, start }) =>
      reshape(slice(flat, 0, start, start + sizeOf(shape)), shape),
    );
  }

  /** As `unpack`, by name. */
  byName(flat: Value): Record<string, Value> {
    return Object.fromEntries(this.unpack(flat).map((value, i) => [this.#entries[i].name, value]));
  }

  /** @param states in the model's order */
  pack(states: readonly Value[]): Value {
    return concat(states.map((state) => reshape(state, [-1])));
  }

  /** The numbers of each state, in the model's order. */
  cut<T>(flat: { subarray(from: number, to: number): T }): T[] {
    return this.#entries.map(({ shape, start }) => flat.subarray(start, start + sizeOf(shape)));
  }

  /** All of them flat. @param states the numbers of each, in the model's order */
  join(states: readonly ArrayLike<number>[]): Float32Array {
    const flat = new Float32Array(this.size);
    this.#entries.forEach(({ start }, i) => flat.set(states[i], start));
    return flat;
  }
}
