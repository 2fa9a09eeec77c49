// The type of the description that `npm run shaders` generates from a WGSL file: with it, a wrong binding, uniform, constant or
// splice is a type error. Also writes uniforms in WGSL's memory layout.
import { GatewiseError } from './errors.ts';

/** The memory layout of a uniform: a scalar or vector, an array or a struct. Offsets and strides are in bytes. */
export type Layout =
  | { readonly kind: 'u32' | 'i32' | 'f32'; readonly width: number }
  | { readonly kind: 'array'; readonly count: number; readonly stride: number; readonly of: Layout }
  | {
      readonly kind: 'struct';
      readonly members: Readonly<Record<string, { readonly offset: number; readonly layout: Layout }>>;
    };

export interface Kernel<
  Binding extends string = string,
  Uniforms extends object = object,
  Constant extends string = string,
  Splice extends string = string,
  Unroll extends string = string,
> {
  /** The name of the file and of the entry point, and the label on the device. */
  readonly name: string;
  readonly code: string;
  readonly bindings: Readonly<
    Record<Binding, { readonly binding: number; readonly access: 'read' | 'read_write' }>
  >;
  readonly uniforms: { readonly binding: number; readonly size: number; readonly layout: Layout };
  readonly constants: readonly Constant[];
  readonly splices: readonly Splice[];
  /** The names of unrolled counts; `SIZE_0` stands for `SIZE_0`, `SIZE_1` and so on. */
  readonly unrolls: readonly Unroll[];
  /** The TypeScript type of the uniforms; never a value. */
  readonly uniformType?: Uniforms;
}

/** Writes `value` at byte `offset` of `view` in a layout. */
export function packUniforms(view: DataView, offset: number, layout: Layout, value: unknown): void {
  if (layout.kind === 'struct') {
    for (const [name, member] of Object.entries(layout.members)) {
      packUniforms(view, offset + member.offset, member.layout, (value as Record<string, unknown>)[name]);
    }
  } else if (layout.kind === 'array') {
    const items = value as readonly unknown[];
    if (items.length > layout.count)
      throw new GatewiseError(
        'internal',
        `uniforms: an array has room for ${layout.count} elements, got ${items.length}`,
      );
    items.forEach((item, i) => packUniforms(view, offset + i * layout.stride, layout.of, item));
  } else {
    const words = layout.width === 1 ? [value as number] : (value as readonly number[]);
    words.forEach((word, i) => {
      if (layout.kind === 'f32') view.setFloat32(offset + 4 * i, word, true);
      else if (layout.kind === 'i32') view.setInt32(offset + 4 * i, word, true);
      else view.setUint32(offset + 4 * i, word, true);
    });
  }
}
