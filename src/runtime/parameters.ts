// The parameters of a model in flat tensors, each of which an optimizer updates in one kernel: one tensor, or as many as it takes so
// that a device can bind each. Each parameter is a view at an offset that a device can bind.
import { GatewiseError, show } from '../core/errors.ts';
import { Random } from '../core/random.ts';
import { sizeOf } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { NamedTensor } from '../io/file_dtypes.ts';
import { parseSafetensors } from '../io/safetensors.ts';
import { initialize, type Layer, type Values } from '../nn/layer.ts';
import { fakeQuantize } from '../ops/fake_quantize.ts';
import type { WeightPrecision } from '../ops/weight_precision.ts';
import { concat, gap, reshape, slice } from '../ops/structure.ts';
import type { Target } from '../plan/target.ts';
import { FlatLayout, flatsFromTensors, type Entry } from './flat_layout.ts';

export class ParameterLayout {
  /** The layout of each flat tensor. */
  readonly flats: readonly FlatLayout[];
  readonly #layer: Layer;

  /** @throws GatewiseError `unsupported` if the target cannot bind a parameter. */
  constructor(layer: Layer, { alignment, bindingBytes }: Pick<Target, 'alignment' | 'bindingBytes'>) {
    // Some kernels bind memory as whole vec4s.
    const room = Math.floor(bindingBytes / 16) * 4;
    const flats: { readonly entries: Entry[]; size: number }[] = [{ entries: [], size: 0 }];
    for (const { name, shape } of layer.parameters) {
      const used = sizeOf(shape);
      if (used > room)
        throw new GatewiseError(
          'unsupported',
          `load: the parameter ${show(name)} of ${layer.name}, ${show(shape)}, has ${4 * used} bytes, above the device's limit of ${bindingBytes} bytes a binding; split it, or ask for a device with a larger maxStorageBufferBindingSize`,
        );
      if (flats[flats.length - 1].size + used > room) flats.push({ entries: [], size: 0 });
      const flat = flats[flats.length - 1];
      flat.entries.push({ name, shape, offset: flat.size, parts: 1, stride: 0 });
      flat.size += Math.ceil(used / alignment) * alignment;
    }
    this.flats = flats.map(({ entries, size }) => new FlatLayout(entries, Math.max(Math.min(size, room), 1)));
    this.#layer = layer;
  }

  /** All parameters. */
  get entries(): readonly Entry[] {
    return this.flats.flatMap(({ entries }) => entries);
  }

  /** Each parameter as a view of its flat tensor. */
  unpack(flats: readonly Value[]): Values {
    return Object.fromEntries(
      this.flats.flatMap(({ entries }, i) =>
        entries.map(({ name, shape, offset }) => [
          name,
          reshape(slice(flats[i], 0, offset, offset + sizeOf(shape)), shape),
        ]),
      ),
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

  /** Packs values of the parameters' shapes into flat tensors, with 0 in the gaps between them. */
  pack(values: Values): Value[] {
    return this.flats.map(({ entries, size }) =>
      concat(
        entries.flatMap(({ name, shape, offset }, i) => {
          const used = sizeOf(shape);
          const room = (entries[i + 1]?.offset ?? size) - offset - used;
          return [reshape(values[name], [used]), ...(room > 0 ? [gap([room])] : [])];
        }),
      ),
    );
  }

  /** Initial values; each parameter has its own random stream, so that none depends on another's size. */
  initial(seed: number): Float32Array[] {
    const values = this.#layer.parameters.map((parameter, i) => initialize(parameter, new Random(seed, i)));
    let next = 0;
    return this.flats.map(({ entries, size }) => {
      const flat = new Float32Array(size);
      for (const { offset } of entries) flat.set(values[next++], offset);
      return flat;
    });
  }

  /** The named tensors, for a file. @param prefix Comes before each name. */
  toTensors(flats: readonly ArrayLike<number>[], prefix = ''): Map<string, NamedTensor> {
    return new Map(this.flats.flatMap((flat, i) => [...flat.toTensors(flats[i], prefix)]));
  }

  /** The flat data of each prefix. See `flatsFromTensors`. */
  fromTensors(
    what: string,
    tensors: ReadonlyMap<string, NamedTensor>,
    prefixes?: readonly string[],
  ): Float32Array[][] {
    return flatsFromTensors(what, 'parameter', this.flats, tensors, prefixes);
  }
}

/** The flat weights of a safetensors file, which may be a trainer's checkpoint, and its metadata. */
export function weightsOf(
  what: string,
  layout: ParameterLayout,
  file: Uint8Array,
): { readonly flats: readonly Float32Array[]; readonly metadata: Readonly<Record<string, string>> } {
  const { tensors, metadata } = parseSafetensors(file);
  // A checkpoint also holds the states of the optimizer and of the model.
  const isWeight = (name: string): boolean => !('optimizer' in metadata && /^(optimizer|state)\./.test(name));
  const [flats] = layout.fromTensors(what, new Map([...tensors].filter(([name]) => isWeight(name))));
  return { flats, metadata };
}
