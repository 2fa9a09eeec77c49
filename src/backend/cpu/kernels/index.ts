// The kernels of the CPU backend, one for each op, and the target that the planner makes plans for.
import { GatewiseError } from '../../../core/errors.ts';
import type { Op } from '../../../graph/value.ts';
import { TENSOR_BYTES, type Target } from '../../../plan/target.ts';
import { copy } from './copy.ts';
import { dropout } from './dropout.ts';
import { elementwise } from './elementwise.ts';
import { fakeQuantize } from './fake_quantize.ts';
import { gather, scatter } from './gather.ts';
import type { CPUKernel } from './kernel.ts';
import { linearScan, linearScanBackward } from './linear_scan.ts';
import { matmul } from './matmul.ts';
import { pack } from './pack.ts';
import { recurrent, recurrentBackward } from './recurrent.ts';
import { reduce } from './reduce.ts';
import { sequenceMask } from './sequence_mask.ts';
import { softmaxCrossEntropy, softmaxCrossEntropyBackward } from './softmax_cross_entropy.ts';

export const referenceKernels: readonly CPUKernel[] = [
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

/** A target whose kernels are functions over typed arrays, without alignment. */
export interface HostTarget extends Target {
  kernel(op: Op): CPUKernel;
}

/** @param kernels A later kernel replaces an earlier one of the same op. */
export function hostTarget(kernels: readonly CPUKernel[]): HostTarget {
  const byOp = new Map(kernels.map((kernel) => [kernel.op.name, kernel]));
  return {
    alignment: 1,
    limits: { tensorBytes: TENSOR_BYTES, prefersWavefront: () => false },
    kernel: (op) => {
      const kernel = byOp.get(op.name);
      if (kernel === undefined)
        throw new GatewiseError('unsupported', `plan: the CPU backend has no kernel for ${op.name}`);
      return kernel;
    },
  };
}

export const referenceTarget: HostTarget = hostTarget(referenceKernels);
