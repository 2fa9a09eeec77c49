// The interface of a WebGPU kernel: the planner's traits, and the launches that compute a step.
import type { Op } from '../../../graph/value.ts';
import type { Placed } from '../../../plan/region.ts';
import type { KernelTraits } from '../../../plan/target.ts';
import type { DeviceInfo } from '../device_info.ts';
import type { Dispatch } from '../dispatch.ts';

export interface WebGPUKernel<Attrs = unknown> extends KernelTraits<Attrs> {
  readonly op: Op<Attrs>;
  /** The launches of a step, for one of its variants. */
  readonly dispatches: (placed: Placed<Attrs>, device: DeviceInfo, variant?: string) => Dispatch[];
  /** The variants of a step, if there are several. */
  readonly variants?: (placed: Placed<Attrs>, device: DeviceInfo) => Variants;
}

export function defineKernel<Attrs>(op: Op<Attrs>, kernel: Omit<WebGPUKernel<Attrs>, 'op'>): WebGPUKernel {
  return { op, ...kernel } as unknown as WebGPUKernel;
}

/** Variants with equal results, whose speed depends on the device and the sizes. */
export interface Variants {
  /** The variants that the operands and the device support, the default first. */
  readonly names: readonly [string, ...string[]];
  /** The key of the tuned choice: rough sizes (see `sizeClass`) and operand layouts. Steps of one kind share a choice. */
  readonly kind: string;
}

/** Sizes rounded up to powers of two, as `512x256x1024`. */
export function sizeClass(...sizes: readonly number[]): string {
  return sizes.map((size) => 2 ** Math.ceil(Math.log2(Math.max(1, size)))).join('x');
}
