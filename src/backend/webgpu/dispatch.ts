// Kernel launches as data: the kernel, its bindings, uniforms, constants and grid. Nothing here touches a device.
import { GatewiseError } from '../../core/errors.ts';
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
  readonly loop?: object | undefined;
}

/** A range of a buffer, in elements of 4 bytes. */
export interface Binding {
  readonly buffer: number;
  readonly offset: number;
  /** Up to the end of the buffer if undefined. */
  readonly size?: number;
}

/** What a binding of a launch reads or writes: a dense region from its first element, or a range. */
type Bound = Region | Binding;

/**
 * A dispatch whose bindings, uniforms, constants, splices and counts are checked against the kernel's types.
 * @throws GatewiseError `internal` for a binding that is undefined and not optional.
 */
export function dispatch<
  B extends string,
  U extends object,
  C extends string,
  S extends string,
  N extends string,
>(
  kernel: Kernel<B, U, C, S, N>,
  launch: {
    readonly bindings: Readonly<Partial<Record<B, Bound | undefined>>>;
    /** Further bindings, left out where undefined. */
    readonly optional?: Readonly<Partial<Record<B, Bound | undefined>>>;
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
  const { bindings, optional = {}, uniforms, workgroups, constants = {}, loop } = launch;
  const { splices = {}, counts = {}, readOnly = [] } = launch;
  const present = Object.entries<Bound | undefined>(optional).filter(([, bound]) => bound !== undefined);
  const bound = [...Object.entries<Bound | undefined>(bindings), ...present].map(([name, region]) => {
    if (region === undefined)
      throw new GatewiseError('internal', `${kernel.name}: nothing to bind to ${name}`);
    return [name, bindingOf(region)] as const;
  });
  return {
    kernel: kernel as Kernel,
    template: { splices, counts, readOnly } as Template,
    constants: constants as Record<string, number>,
    bindings: Object.fromEntries(bound),
    uniforms: Array.isArray(uniforms) ? (uniforms as readonly U[]) : [uniforms as U],
    workgroups,
    loop,
  };
}

function bindingOf(bound: Bound): Binding {
  if (!('view' in bound)) return bound;
  const { buffer, view } = bound;
  return { buffer, offset: view.offset, size: viewEnd(view) - view.offset };
}

/** Binds the whole buffer of a region that the kernel addresses by offset and strides. */
export function bindWhole({ buffer }: Region): Binding {
  return { buffer, offset: 0 };
}
