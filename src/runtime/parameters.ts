// All parameters of a model in one flat tensor, which an optimizer updates in one kernel. Each parameter is a view at an offset
// that a device can bind.
import { Random } from '../core/random.ts';
import { sizeOf } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import { initialize, type Layer, type Values } from '../nn/layer.ts';
import { fakeQuantize } from '../ops/fake_quantize.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import { concat, gap, reshape, slice } from '../ops/structure.ts';
import { FlatLayout } from './flat_layout.ts';

export class ParameterLayout extends FlatLayout {
  readonly #layer: Layer;

  /** @param alignment Each parameter starts at a multiple of this many elements, so that the backend can bind it. */
  constructor(layer: Layer, alignment: number) {
    let size = 0;
    const entries = layer.parameters.map(({ name, shape }) => {
      const offset = size;
      size += Math.ceil(sizeOf(shape) / alignment) * alignment;
      return { name, shape, offset, parts: 1, stride: 0 };
    });
    super('parameter', entries, Math.max(size, 1));
    this.#layer = layer;
  }

  /** Each parameter as a view of the flat tensor. */
  unpack(flat: Value): Values {
    return Object.fromEntries(
      this.entries.map(({ name, shape, offset }) => [
        name,
        reshape(slice(flat, 0, offset, offset + sizeOf(shape)), shape),
      ]),
    );
  }

  /** The parameters, with the quantizable matrices rounded to `precision`. */
  quantize(parameters: Values, precision: WeightPrecision): Values {
    if (precision === 'float32') return parameters;
    return Object.fromEntries(
      this.#layer.parameters.map(({ name, quantizable }) => [
        name,
        quantizable === true ? fakeQuantize(parameters[name], precision) : parameters[name],
      ]),
    );
  }

  /** Packs values of the parameters' shapes into a flat tensor, with 0 in the gaps between them. */
  pack(values: readonly Value[]): Value {
    const pieces = this.entries.flatMap(({ shape, offset }, i) => {
      const used = sizeOf(shape);
      const next = this.entries[i + 1]?.offset ?? this.size;
      const room = next - offset - used;
      return [reshape(values[i], [used]), ...(room > 0 ? [gap([room])] : [])];
    });
    return concat(pieces);
  }

  /** Initial values; each parameter has its own random stream, so that none depends on another's size. */
  initial(seed: number): Float32Array {
    const flat = new Float32Array(this.size);
    this.#layer.parameters.forEach((parameter, i) =>
      flat.set(initialize(parameter, new Random(seed, i)), this.entries[i].offset),
    );
    return flat;
  }
}
