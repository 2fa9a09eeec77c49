// Chooses the variants of a plan's steps and makes their kernel launches.
import type { Step } from '../../plan/plan.ts';
import type { Target } from '../../plan/target.ts';
import type { Choices } from '../tuning.ts';
import { GPU_DEVICE, type DeviceInfo } from './device_info.ts';
import type { Dispatch } from './dispatch.ts';
import { webgpuTarget } from './kernels/index.ts';
import type { Variants, WebGPUKernel } from './kernels/kernel.ts';

/** The launches of steps on one device. */
export class Launcher {
  readonly device: DeviceInfo;
  readonly #target: Target<WebGPUKernel>;

  constructor(device: DeviceInfo = GPU_DEVICE, target: Target<WebGPUKernel> = webgpuTarget) {
    this.device = device;
    this.#target = target;
  }

  /** The key of a step's kind in tuned choices, and its variants; undefined if its kernel has no variants. */
  variantsOf(step: Step): { readonly key: string; readonly names: Variants['names'] } | undefined {
    const variants = this.#target.kernel(step.op).variants?.(step, this.device);
    return variants && { key: `${step.op.name}:${variants.kind}`, names: variants.names };
  }

  /** The variant of a step: the tuned choice for its kind if the step allows it, else the device's default. */
  variantOf(step: Step, choices: Choices = {}): string | undefined {
    const variants = this.variantsOf(step);
    return variants?.names.find((name) => name === choices[variants.key]) ?? variants?.names[0];
  }

  /** The kernel launches of a step. @param variant The device's default if omitted. */
  dispatchesOf(step: Step, variant: string | undefined = this.variantOf(step)): Dispatch[] {
    return this.#target.kernel(step.op).dispatches(step, this.device, variant);
  }
}

/**
 * The number of kernel launches of a step of a plan for WebGPU. @param device A GPU by default. @param variant The device's default
 * if omitted.
 */
export function countDispatches(step: Step, device?: DeviceInfo, variant?: string): number {
  return new Launcher(device)
    .dispatchesOf(step, variant)
    .reduce((sum, { uniforms }) => sum + uniforms.length, 0);
}
