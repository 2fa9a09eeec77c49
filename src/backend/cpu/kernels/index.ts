// The kernels of the CPU backend, one for each op, and the target that the planner makes plans for.
import { targetWith, type Target } from '../../../plan/target.ts';
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

/** The target of a CPU backend: typed arrays need no alignment. */
export const hostTarget = (kernels: readonly CPUKernel[]): Target<CPUKernel> => targetWith('CPU', kernels, 1);

export const referenceTarget: Target<CPUKernel> = hostTarget(referenceKernels);
