// The kernels of the WebGPU backend, one for each op, and the target that the planner makes plans for.
import type { TargetLimits } from '../../../graph/value.ts';
import { targetWith, type Target } from '../../../plan/target.ts';
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

/** WebGPU's default minStorageBufferOffsetAlignment of 256 bytes, in elements. */
const ALIGNMENT = 64;

export const targetOf = (
  kernels: readonly WebGPUKernel[],
  prefersWavefront?: TargetLimits['prefersWavefront'],
  bindingBytes?: number,
): Target<WebGPUKernel> => targetWith('WebGPU', kernels, ALIGNMENT, prefersWavefront, bindingBytes);

export const webgpuTarget: Target<WebGPUKernel> = targetOf(webgpuKernels);
