// The kernels of the WebGPU backend, one for each op, and the target that the planner makes plans for.
import { GatewiseError } from '../../../core/errors.ts';
import type { Op, TargetLimits } from '../../../graph/value.ts';
import { TENSOR_BYTES, type Target } from '../../../plan/target.ts';
import { copy } from './copy.ts';
import { dropout } from './dropout.ts';
import { elementwise } from './elementwise.ts';
import { fakeQuantize } from './fake_quantize.ts';
import { gather, scatter } from './gather.ts';
import type { WebGPUKernel } from './kernel.ts';
import { linearScan, linearScanBackward } from './linear_scan.ts';
import { matmul } from './matmul.ts';
import { pack } from './pack.ts';
import { recurrent, recurrentBackward } from './recurrent/index.ts';
import { reduce } from './reduce.ts';
import { sequenceMask } from './sequence_mask.ts';
import { softmaxCrossEntropy, softmaxCrossEntropyBackward } from './softmax_cross_entropy.ts';

export const webgpuKernels: readonly WebGPUKernel[] = [
  copy,
  dropout,
  elementwise,
  fakeQuantize,
  gather,
  scatter,
  linearScan,
  linearScanBackward,
  matmul,
  pack,
  recurrent,
  recurrentBackward,
  reduce,
  sequenceMask,
  softmaxCrossEntropy,
  softmaxCrossEntropyBackward,
];

/** A target whose kernels launch WGSL. */
export interface WebGPUTarget extends Target {
  kernel(op: Op): WebGPUKernel;
}

/** WebGPU's default minStorageBufferOffsetAlignment of 256 bytes, in elements. */
const ALIGNMENT = 64;

/** @param kernels A later kernel replaces an earlier one of the same op. */
export function targetOf(
  kernels: readonly WebGPUKernel[],
  prefersWavefront: TargetLimits['prefersWavefront'] = () => false,
): WebGPUTarget {
  const byOp = new Map(kernels.map((kernel) => [kernel.op.name, kernel]));
  return {
    alignment: ALIGNMENT,
    limits: { tensorBytes: TENSOR_BYTES, prefersWavefront },
    kernel: (op) => {
      const kernel = byOp.get(op.name);
      if (kernel === undefined)
        throw new GatewiseError('unsupported', `plan: the WebGPU backend has no kernel for ${op.name}`);
      return kernel;
    },
  };
}

export const webgpuTarget: WebGPUTarget = targetOf(webgpuKernels);
