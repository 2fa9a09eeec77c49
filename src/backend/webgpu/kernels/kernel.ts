// The declaration of a WebGPU kernel: the traits that the planner reads, its variants and its launches.
import type { Op } from '../../../graph/value.ts';
import type { KernelTraits, Placed } from '../../../plan/target.ts';
import type { DeviceInfo } from '../device_info.ts';
import type { Dispatch } from '../dispatch.ts';

export interface WebGPUKernel<Attrs = unknown> extends KernelTraits<Attrs> {
  readonly op: Op<Attrs>;
  /** The launches of a step. @param variant The device's default unless given. */
  readonly dispatches: (placed: Placed<Attrs>, device: DeviceInfo, variant?: string) => Dispatch[];
  /** The variants for a step; undefined if the kernel has one way to compute any step. */
  readonly variants?: (placed: Placed<Attrs>, device: DeviceInfo) => Variants;
}

/** The kernel of an op. Erases the type of its attributes, so that kernels of all ops fit in one list. */
export function defineKernel<Attrs>(op: Op<Attrs>, kernel: Omit<WebGPUKernel<Attrs>, 'op'>): WebGPUKernel {
  return { op, ...kernel } as unknown as WebGPUKernel;
}

/** Several ways to compute a step with the same result; the fastest one depends on the device and the sizes. */
export interface Variants {
  /** The variants that the device and the operands allow, the device's default first. */
  readonly names: readonly [string, ...string[]];
  /** The size class (see `sizeClass`) and layout of the operands: steps of one kind share a tuned choice. */
  readonly kind: string;
}

/** The possible variants, the preferred one first. */
export function variantNames<Name extends string>(
  preferred: Name,
  isPossible: Readonly<Record<Name, boolean>>,
): [Name, ...Name[]] {
  const names = Object.keys(isPossible) as Name[];
  return [preferred, ...names.filter((name) => name !== preferred && isPossible[name])];
}

/** Sizes rounded up to powers of two, as `512x256x1024`. */
export function sizeClass(...sizes: readonly number[]): string {
  return sizes.map((size) => 2 ** Math.ceil(Math.log2(Math.max(1, size)))).join('x');
}
