// All states of a model in one flat tensor, which a step reads and writes as one: one behind the other in the model's order,
// and those of a stack of layers a layer at a time, since what a layer reads and leaves of all states is one piece then.
import { sizeOf, type Shape } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { State } from '../nn/layer.ts';
import { concat, reshape, slice } from '../ops/structure.ts';

/** States that follow each other and are of as many layers: a matrix with a row for each. */
interface Stack {
  readonly layers: number;
  /** Where it begins. */
  readonly start: number;
  /** Elements of a row, all states together. */
  width: number;
  readonly states: Entry[];
}

interface Entry {
  readonly name: string;
  readonly shape: Shape;
  /** Where in a row it begins. */
  readonly start: number;
  /** Elements of a layer. */
  readonly width: number;
}

export class StateLayout {
  /** Elements of the flat tensor. */
  readonly size: number;
  readonly #stacks: readonly Stack[];

  constructor(states: readonly State[], batch: number) {
    const stacks: Stack[] = [];
    let size = 0;
    for (const state of states) {
      const layers = layersOf(state);
      const shape = state.shape(batch);
      let stack = stacks.at(-1);
      if (stack?.layers !== layers) stacks.push((stack = { layers, start: size, width: 0, states: [] }));
      const width = sizeOf(shape) / layers;
      stack.states.push({ name: state.name, shape, start: stack.width, width });
      stack.width += width;
      size += layers * width;
    }
    this.size = size;
    this.#stacks = stacks;
  }

  /** Each state as a view of the flat tensor, in the model's order. */
  unpack(flat: Value): Value[] {
    return this.#stacks.flatMap(({ layers, start, width: all, states }) => {
      const matrix = reshape(slice(flat, 0, start, start + layers * all), [layers, all]);
      return states.map((state) =>
        reshape(slice(matrix, 1, state.start, state.start + state.width), state.shape),
      );
    });
  }

  /** As `unpack`, by name. */
  byName(flat: Value): Record<string, Value> {
    const names = this.#stacks.flatMap(({ states }) => states.map(({ name }) => name));
    return Object.fromEntries(this.unpack(flat).map((value, i) => [names[i], value]));
  }

  /** @param values of the states, in the model's order */
  pack(values: readonly Value[]): Value {
    let next = 0;
    const stacks = this.#stacks.map(({ layers, states }) => {
      const parts = values.slice(next, (next += states.length));
      const matrix = concat(
        parts.map((value) => reshape(value, [layers, -1])),
        1,
      );
      return reshape(matrix, [-1]);
    });
    return concat(stacks);
  }

  /** The numbers of each state, in the model's order. */
  cut(flat: Float32Array): Float32Array[] {
    return this.#places().map((places) => Float32Array.from(places, (at) => flat[at]));
  }

  /** All of them flat. @param states the numbers of each, in the model's order */
  join(states: readonly ArrayLike<number>[]): Float32Array {
    const flat = new Float32Array(this.size);
    this.#places().forEach((places, s) => places.forEach((at, i) => (flat[at] = states[s][i])));
    return flat;
  }

  /** Of each state, where its elements lie. */
  #places(): number[][] {
    return this.#stacks.flatMap(({ start, width: all, states }) =>
      states.map((state) =>
        Array.from(
          { length: sizeOf(state.shape) },
          (_, i) => start + Math.floor(i / state.width) * all + state.start + (i % state.width),
        ),
      ),
    );
  }
}

/** How many layers a state is of: its first axis, where that is not the batch's. */
function layersOf({ shape }: State): number {
  const [one, two] = [shape(1), shape(2)];
  return one.length > 0 && one[0] === two[0] ? one[0] : 1;
}
