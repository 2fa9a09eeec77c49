// The layout of named tensors in one flat tensor, and their conversion to and from the tensors of a file.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, sizeOf, type Shape } from '../core/shape.ts';
import { float32Of, isFloat, dtypeText, type NamedTensor } from '../io/file_dtypes.ts';

export interface Entry {
  readonly name: string;
  readonly shape: Shape;
  readonly offset: number;
  /** The number of contiguous parts of equal size that its elements form; the parts start `stride` elements apart. */
  readonly parts: number;
  readonly stride: number;
}

export class FlatLayout {
  readonly entries: readonly Entry[];
  /** Elements of the flat tensor. */
  readonly size: number;

  constructor(entries: readonly Entry[], size: number) {
    this.entries = entries;
    this.size = size;
  }

  /** The named tensors, for a file. @param prefix Comes before each name. */
  toTensors(flat: ArrayLike<number>, prefix = ''): Map<string, NamedTensor> {
    const all = Float32Array.from(flat);
    return new Map(
      this.entries.map(({ name, shape, offset, parts, stride }) => {
        const data = new Float32Array(sizeOf(shape));
        const size = data.length / parts;
        for (let part = 0; part < parts; part++) {
          const start = offset + part * stride;
          data.set(all.subarray(start, start + size), part * size);
        }
        return [prefix + name, { shape, dtype: 'f32', data }];
      }),
    );
  }

  /** Flat data from the tensors of a file, which must be there. @param refuse Throws an error of the caller. */
  fromTensors(
    tensors: ReadonlyMap<string, NamedTensor>,
    prefix: string,
    refuse: (problem: string) => never,
  ): Float32Array {
    const names = [...tensors.keys()].slice(0, 12).map(show).join(', ');
    const flat = new Float32Array(this.size);
    for (const { name, shape, offset, parts, stride } of this.entries) {
      const shown = show(prefix + name);
      const tensor =
        tensors.get(prefix + name) ??
        refuse(`no tensor ${shown}; the file has ${names || 'none'}; expected f32 ${show(shape)}`);
      if (!isFloat(tensor))
        refuse(`${shown} must be f32, f64, f16 or bf16 ${show(shape)}, got ${dtypeText(tensor)}`);
      if (!sameShape(tensor.shape, shape))
        refuse(
          `${shown} must have shape ${show(shape)}, got ${show(tensor.shape)}; was the file saved from another model?`,
        );
      const size = sizeOf(shape) / parts;
      const data = float32Of(tensor);
      for (let part = 0; part < parts; part++)
        flat.set(data.subarray(part * size, (part + 1) * size), offset + part * stride);
    }
    return flat;
  }
}

/**
 * The flat data of several layouts from the tensors of a file.
 * @param what The caller, for errors.
 * @param prefixes Prefixes of the names in the file; each gives one result with data for each layout.
 * @throws GatewiseError `file` if a tensor is missing, unknown, or of another shape or dtype.
 */
export function flatsFromTensors(
  what: string,
  kind: 'parameter' | 'state',
  layouts: readonly FlatLayout[],
  tensors: ReadonlyMap<string, NamedTensor>,
  prefixes: readonly string[] = [''],
): Float32Array[][] {
  const refuse = (problem: string): never => {
    throw new GatewiseError('file', `${what}: ${problem}`);
  };
  const names = layouts.flatMap(({ entries }) => entries.map(({ name }) => name));
  const expected = new Set(prefixes.flatMap((prefix) => names.map((name) => prefix + name)));
  const unknown = [...tensors.keys()].find((name) => !expected.has(name));
  if (unknown !== undefined)
    refuse(
      `the model has no ${kind} ${show(unknown)}; expected ${names.map((name) => show(prefixes[0] + name)).join(', ')}`,
    );
  return prefixes.map((prefix) => layouts.map((layout) => layout.fromTensors(tensors, prefix, refuse)));
}
