// All states of a model in one flat tensor, which a stream's push reads and writes as one. States lie in the model's order.
// Consecutive states of as many layers form a matrix with a row for each layer, so that all states of a layer are contiguous.
import { sizeOf, type Shape } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { State } from '../nn/layer.ts';
import { concat, reshape, slice, split } from '../ops/structure.ts';

/** A matrix (layers, sum of widths): each row holds one layer of each state. */
interface Stack {
  readonly layers: number;
  /** Where it starts in the flat tensor. */
  readonly start: number;
  /** Elements of one layer of each state. */
  readonly widths: number[];
}

export class StateLayout {
  /** Elements of the flat tensor. */
  readonly size: number;
  readonly #names: readonly string[];
  readonly #shapes: readonly Shape[];
  readonly #stacks: readonly Stack[];

  constructor(states: readonly State[], batch: number) {
    this.#names = states.map(({ name }) => name);
    this.#shapes = states.map(({ shape }) => shape(batch));
    const stacks: Stack[] = [];
    let size = 0;
    for (const [i, shape] of this.#shapes.entries()) {
      const layers = layersOf(states[i]);
      if (stacks.at(-1)?.layers !== layers) stacks.push({ layers, start: size, widths: [] });
      stacks.at(-1)?.widths.push(sizeOf(shape) / layers);
      size += sizeOf(shape);
    }
    this.size = size;
    this.#stacks = stacks;
  }

  /** Each state as a view of the flat tensor, in the model's order. */
  unpack(flat: Value): Value[] {
    const parts = this.#stacks.flatMap(({ layers, start, widths }) => {
      const width = sum(widths);
      return split(reshape(slice(flat, 0, start, start + layers * width), [layers, width]), widths, 1);
    });
    return parts.map((part, i) => reshape(part, this.#shapes[i]));
  }

  /** As `unpack`, by name. */
  byName(flat: Value): Record<string, Value> {
    return Object.fromEntries(this.unpack(flat).map((value, i) => [this.#names[i], value]));
  }

  /** @param values of the states, in the model's order */
  pack(values: readonly Value[]): Value {
    const rest = values.slice();
    const stacks = this.#stacks.map(({ layers, widths }) => {
      const parts = rest.splice(0, widths.length).map((value) => reshape(value, [layers, -1]));
      return reshape(concat(parts, 1), [-1]);
    });
    return concat(stacks);
  }

  /** The elements of each state, in the model's order. */
  cut(flat: Float32Array): Float32Array[] {
    const states = this.#shapes.map((shape) => new Float32Array(sizeOf(shape)));
    for (const { state, from, to, at } of this.#pieces())
      states[state].set(flat.subarray(at, at + to - from), from);
    return states;
  }

  /** The flat tensor's elements. @param states The elements of each, in the model's order. */
  join(states: readonly Float32Array[]): Float32Array {
    const flat = new Float32Array(this.size);
    for (const { state, from, to, at } of this.#pieces()) flat.set(states[state].subarray(from, to), at);
    return flat;
  }

  /** Elements `from` to `to` of a state, one layer of it, lie at `at`. */
  *#pieces(): Generator<{ state: number; from: number; to: number; at: number }> {
    let [first, at] = [0, 0];
    for (const { layers, widths } of this.#stacks) {
      for (let layer = 0; layer < layers; layer++)
        for (const [i, width] of widths.entries()) {
          yield { state: first + i, from: layer * width, to: (layer + 1) * width, at };
          at += width;
        }
      first += widths.length;
    }
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** The first axis of a state, if that is not the batch, counts layers. */
function layersOf({ shape }: State): number {
  const [one, two] = [shape(1), shape(2)];
  return one.length > 0 && one[0] === two[0] ? one[0] : 1;
}
