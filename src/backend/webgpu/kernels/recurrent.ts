import { recurrentBackwardOp, recurrentOp } from '../../../ops/recurrent.ts';
import {
  backwardVariants,
  forwardVariants,
  recurrentBackwardGPU,
  recurrentGPU,
} from '../../../ops/recurrent_loop.ts';
import { defineKernel } from './kernel.ts';

export const recurrent = defineKernel(recurrentOp, { variants: forwardVariants, dispatches: recurrentGPU });
export const recurrentBackward = defineKernel(recurrentBackwardOp, {
  variants: backwardVariants,
  dispatches: recurrentBackwardGPU,
});
