// All parameters of a model in one flat tensor, which an optimizer updates in one kernel. Each parameter is a view at an offset
// that a device can bind.
import { GatewiseError, show } from '../core/errors.ts';
import { Random } from '../core/random.ts';
import { sameShape, sizeOf, type Shape } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import { initialize, type Layer, type Values } from '../nn/layer.ts';
import { fakeQuantize } from '../ops/fake_quantize.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import { concat, gap, reshape, slice } from '../ops/structure.ts';
import type { NamedTensor } from '../io/safetensors.ts';

interface Entry {
  readonly name: string;
  readonly shape: Shape;
  readonly offset: number;
}

export class ParameterLayout {
  readonly entries: readonly Entry[];
  /** Elements of the flat tensor. */
  readonly size: number;
  readonly #layer: Layer;

  /** @param alignment Each parameter starts at a multiple of this many elements, as the backend binds it. */
  constructor(layer: Layer, alignment: number) {
    this.#layer = layer;
    let offset = 0;
    this.entries = layer.parameters.map(({ name, shape }) => {
      const entry = { name, shape, offset };
      offset += Math.ceil(sizeOf(shape) / alignment) * alignment;
      return entry;
    });
    this.size = Math.max(offset, 1);
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

  /** Parameters with the matrices rounded to `precision`, as they are stored for the kernels. */
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

  /**
   * Flat data from the tensors of a file.
   * @param prefixes Of the parameters' names in the file; one result for each.
   * @throws GatewiseError `file` if a tensor is missing, unknown, or of another shape or dtype.
   */
  fromTensors(tensors: ReadonlyMap<string, NamedTensor>, prefixes: readonly string[] = ['']): Float32Array[] {
    const refuse = (problem: string): never => {
      throw new GatewiseError('file', `weights: ${problem}`);
    };
    const names = this.entries.map(({ name }) => name);
    const known = new Set(prefixes.flatMap((prefix) => names.map((name) => prefix + name)));
    const unknown = [...tensors.keys()].find((name) => !known.has(name));
    if (unknown !== undefined)
      refuse(`the model has no parameter ${show(unknown)}; expected ${names.map(show).join(', ')}`);
    const files = [...tensors.keys()].slice(0, 12).map(show).join(', ');
    return prefixes.map((prefix) => {
      const flat = new Float32Array(this.size);
      for (const { name, shape, offset } of this.entries) {
        const shown = show(prefix + name);
        const tensor = tensors.get(prefix + name) ?? refuse(`no tensor ${shown}; the file has ${files}`);
        if (tensor.dtype !== 'f32') refuse(`${shown} must be F32, got ${tensor.dtype}`);
        if (!sameShape(tensor.shape, shape))
          refuse(
            `${shown} must have shape ${show(shape)}, got ${show(tensor.shape)}; was the file saved from another model?`,
          );
        flat.set(tensor.data, offset);
      }
      return flat;
    });
  }

  toTensors(flat: ArrayLike<number>, prefix = ''): Map<string, NamedTensor> {
    const all = Float32Array.from(flat);
    return new Map(
      this.entries.map(({ name, shape, offset }) => [
        prefix + name,
        { shape, dtype: 'f32', data: all.slice(offset, offset + sizeOf(shape)) },
      ]),
    );
  }
}
