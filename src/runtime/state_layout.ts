// All states of a model in one flat tensor, in the model's order. Consecutive states with the same number of layers form a matrix
// with a row for each layer, so that all states of a layer are contiguous.
import { sizeOf } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { State, Values } from '../nn/layer.ts';
import { concat, reshape, slice, split } from '../ops/structure.ts';
import { FlatLayout, type Entry } from './flat_layout.ts';

export class StateLayout extends FlatLayout {
  /** The entries of each matrix (layers, sum of widths): each row holds one layer of each state. */
  readonly #stacks: readonly (readonly Entry[])[];

  constructor(states: readonly State[], batch: number) {
    const stacks: { readonly layers: number; readonly states: State[] }[] = [];
    for (const state of states) {
      const layers = layersOf(state);
      if (stacks.at(-1)?.layers !== layers) stacks.push({ layers, states: [] });
      stacks.at(-1)?.states.push(state);
    }
    let size = 0;
    const entries = stacks.map(({ layers, states }) => {
      const shapes = states.map(({ shape }) => shape(batch));
      const stride = shapes.reduce((sum, shape) => sum + sizeOf(shape), 0) / layers;
      let offset = size;
      size += layers * stride;
      return states.map(({ name }, i): Entry => {
        const entry = { name, shape: shapes[i], offset, parts: layers, stride };
        offset += sizeOf(shapes[i]) / layers;
        return entry;
      });
    });
    super(entries.flat(), size);
    this.#stacks = entries;
  }

  /** Each state as a view of the flat tensor, by name. */
  unpack(flat: Value): Record<string, Value> {
    const values = this.#stacks.flatMap((entries) => {
      const [{ offset, parts, stride }] = entries;
      const rows = reshape(slice(flat, 0, offset, offset + parts * stride), [parts, stride]);
      const widths = entries.map(({ shape }) => sizeOf(shape) / parts);
      return split(rows, widths, 1).map((value, i) => reshape(value, entries[i].shape));
    });
    return Object.fromEntries(this.entries.map(({ name }, i) => [name, values[i]]));
  }

  /** @param states All of the model, by name. */
  pack(states: Values): Value {
    const stacks = this.#stacks.map((entries) => {
      const rows = entries.map(({ name, parts }) => reshape(states[name], [parts, -1]));
      return reshape(concat(rows, 1), [-1]);
    });
    return concat(stacks);
  }
}

/** The number of layers of a state: the size of its first axis, or 1 if that axis is the batch. */
function layersOf({ shape }: State): number {
  const [one, two] = [shape(1), shape(2)];
  return one.length > 0 && one[0] === two[0] ? one[0] : 1;
}
