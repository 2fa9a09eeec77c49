// How tensors lie in buffers, and how kernels are launched on them. Data only.
import type { Kernel } from '../core/kernel.ts';
import type { DType } from '../core/shape.ts';
import type { Template } from '../core/wgsl_template.ts';
import { denseView, sliceView, viewEnd, type View } from '../core/view.ts';

/** A tensor in a plan: which buffer, and how it lies there. */
export interface Region {
  readonly buffer: number;
  readonly view: View;
  readonly dtype: DType;
}

/** A tensor on the CPU. */
export interface Operand {
  readonly data: NumberArray;
  readonly view: View;
}

export type NumberArray = Float32Array | Float64Array | Int32Array;

/** One kernel launch, or, where `uniforms` has several rows, as many launches in order. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly template: Template;
  readonly constants: Readonly<Record<string, number>>;
  readonly bindings: Readonly<Record<string, Binding>>;
  readonly uniforms: readonly object[];
  readonly workgroups: readonly [number, number, number];
  /** Neighbours that name one loop are launched in turn, one row of uniforms each. */
  readonly loop?: object;
}

/** What kernels and the shapes of their launches are chosen for. */
export interface Target {
  /** A CPU that plays a GPU: its workgroup memory is memory like any other, and a barrier in it costs more than it saves. */
  readonly software: boolean;
  /** Invocations that keep the device busy. A launch takes the largest tiles that leave at least so many. */
  readonly parallelism: number;
  /** Bytes of workgroup memory that a workgroup may have. */
  readonly workgroupMemory: number;
  /** Invocations that a workgroup may have, also along x alone. */
  readonly workgroupSize: number;
  /** Invocations of every subgroup, where the device has subgroups of one size; else undefined. */
  readonly lanes?: number;
}

/** A GPU: tens of cores, each with hundreds of invocations under way. The limits are those that every device has. */
export const GPU_TARGET: Target = {
  software: false,
  parallelism: 16384,
  workgroupMemory: 16384,
  workgroupSize: 256,
};
/** A software adapter: a few CPU cores of a few lanes each, for which every load that a larger tile saves counts. */
export const SOFTWARE_TARGET: Target = { ...GPU_TARGET, software: true, parallelism: 32 };

/** The first of `tiles`, largest first, with which `invocations` fills the target; else the last. */
export function chooseTile<T>(tiles: readonly T[], target: Target, invocations: (tile: T) => number): T {
  return tiles.find((tile) => invocations(tile) >= target.parallelism) ?? tiles[tiles.length - 1];
}

/** A range of a buffer, in elements of 4 bytes. */
export interface Binding {
  readonly buffer: number;
  readonly offset: number;
  /** Undefined: up to the end. */
  readonly size?: number;
}

/** A typed dispatch of one kernel: names of bindings, uniforms, constants, splices and counts are checked. */
export function dispatch<
  B extends string,
  U extends object,
  C extends string,
  S extends string,
  N extends string,
>(
  kernel: Kernel<B, U, C, S, N>,
  launch: {
    readonly bindings: Readonly<Partial<Record<B, Binding>>>;
    readonly uniforms: U | readonly U[];
    readonly workgroups: readonly [number, number, number];
    readonly constants?: Readonly<Partial<Record<C, number>>>;
    readonly splices?: Readonly<Partial<Record<S, string>>>;
    readonly counts?: Readonly<Record<N, number>>;
    /** Bindings that this use of the kernel only reads. */
    readonly readOnly?: readonly NoInfer<B>[];
    readonly loop?: object;
  },
): Dispatch {
  const {
    bindings,
    uniforms,
    workgroups,
    constants = {},
    splices = {},
    counts = {},
    readOnly = [],
    loop,
  } = launch;
  return {
    kernel: kernel as Kernel,
    template: {
      splices: splices as Record<string, string>,
      counts: counts as Record<string, number>,
      ...(readOnly.length > 0 ? { readOnly } : {}),
    },
    constants: constants as Record<string, number>,
    bindings: bindings as Record<string, Binding>,
    uniforms: Array.isArray(uniforms) ? (uniforms as readonly U[]) : [uniforms as U],
    workgroups,
    ...(loop === undefined ? {} : { loop }),
  };
}

/** Binds a dense region from its first element. */
export function bindDense({ buffer, view }: Region): Binding {
  return { buffer, offset: view.offset, size: viewEnd(view) - view.offset };
}

/** Binds the whole buffer of a region that the kernel addresses by offset and strides. */
export function bindWhole({ buffer }: Region): Binding {
  return { buffer, offset: 0 };
}

export function sliceRegion(region: Region, start: readonly number[], shape: readonly number[]): Region {
  return { ...region, view: sliceView(region.view, start, shape) };
}

export function denseRegion(buffer: number, shape: readonly number[], dtype: DType = 'f32'): Region {
  return { buffer, view: denseView(shape), dtype };
}
