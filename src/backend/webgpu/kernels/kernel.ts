// What a WebGPU kernel declares: the planner's traits, and the launches that do the work.
import type { Op } from '../../../graph/value.ts';
import type { Placed } from '../../../plan/region.ts';
import type { KernelTraits } from '../../../plan/target.ts';
import type { DeviceInfo } from '../device_info.ts';
import type { Dispatch } from '../dispatch.ts';

export interface WebGPUKernel<Attrs = unknown> extends KernelTraits<Attrs> {
  readonly op: Op<Attrs>;
  /** The launches of a step, in one of its variants. */
  readonly dispatches: (placed: Placed<Attrs>, device: DeviceInfo, variant?: string) => Dispatch[];
  /** The ways to compute such a step, where there are several. */
  readonly variants?: (placed: Placed<Attrs>, device: DeviceInfo) => Variants;
}

export function defineKernel<Attrs>(op: Op<Attrs>, kernel: Omit<WebGPUKernel<Attrs>, 'op'>): WebGPUKernel {
  return { op, ...kernel } as unknown as WebGPUKernel;
}

/** Ways to compute the same, of which one or another is faster by the device and the sizes. */
export interface Variants {
  /** Those that such operands and the device allow, the device's default first. */
  readonly names: readonly [string, ...string[]];
  /** What else the fastest depends on: sizes, roughly (see `sizeClass`), and how operands lie. One choice is made for a kind. */
  readonly kind: string;
}

/** Sizes rounded up to powers of two, as `512x256x1024`. */
export function sizeClass(...sizes: readonly number[]): string {
  return sizes.map((size) => 2 ** Math.ceil(Math.log2(Math.max(1, size)))).join('x');
}
