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

  /** The flat data of named tensors. @throws GatewiseError `file` where a name is missing, unknown, or of another shape. */
  fromTensors(tensors: ReadonlyMap<string, NamedTensor>, prefix = ''): Float32Array {
    const flat = new Float32Array(this.size);
    for (const { name, shape, offset } of this.entries) {
      const tensor = tensors.get(prefix + name);
      if (tensor === undefined) {
        throw new GatewiseError(
          'file',
          `weights: no tensor ${show(prefix + name)}; the file has ${[...tensors.keys()].slice(0, 12).map(show).join(', ')}`,
        );
      }
      if (tensor.dtype !== 'f32')
        throw new GatewiseError('file', `weights: ${show(prefix + name)} must be F32, got ${tensor.dtype}`);
      if (!sameShape(tensor.shape, shape)) {
        throw new GatewiseError(
          'file',
          `weights: ${show(prefix + name)} must have shape ${show(shape)}, got ${show(tensor.shape)}; was the file saved from another model?`,
        );
      }
      flat.set(tensor.data, offset);
    }
    return flat;
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

  /**
   * @param prefixes of the tensors that the file may have for each parameter.
   * @throws GatewiseError `file` where a file has tensors that the model has not.
   */
  checkKnown(names: Iterable<string>, prefixes: readonly string[] = ['']): void {
    const known = new Set(prefixes.flatMap((prefix) => this.entries.map(({ name }) => prefix + name)));
    const unknown = [...names].find((name) => !known.has(name));
    if (unknown !== undefined) {
      throw new GatewiseError(
        'file',
        `weights: the model has no parameter ${show(unknown)}; expected ${this.entries.map(({ name }) => show(name)).join(', ')}`,
      );
    }
  }
}
