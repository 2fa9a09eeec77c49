// Kernel launches as data: the kernel, its bindings, uniforms, constants and grid. Nothing here touches a device.
import type { Kernel } from '../../core/kernel.ts';
import type { Template } from '../../core/wgsl_template.ts';
import { viewEnd } from '../../core/view.ts';
import type { Region } from '../../plan/target.ts';

/** A launch of one kernel for each row of `uniforms`, in their order. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly template: Template;
  readonly constants: Readonly<Record<string, number>>;
  readonly bindings: Readonly<Record<string, Binding>>;
  readonly uniforms: readonly object[];
  readonly workgroups: readonly [number, number, number];
  /** Adjacent dispatches with the same loop are interleaved: first row 0 of each, then row 1 of each, and so on. */
  readonly loop?: object;
}

/** A range of a buffer, in elements of 4 bytes. */
export interface Binding {
  readonly buffer: number;
  readonly offset: number;
  /** Up to the end of the buffer if undefined. */
  readonly size?: number;
}

/** A dispatch whose bindings, uniforms, constants, splices and counts are checked against the kernel's types. */
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
    /** Read-write bindings that this launch only reads. */
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
