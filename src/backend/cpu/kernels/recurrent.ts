import { recurrentBackwardOp, recurrentOp } from '../../../ops/recurrent.ts';
import { recurrentBackwardCPU, recurrentCPU } from '../../../ops/recurrent_cpu.ts';
import { defineKernel } from './kernel.ts';

export const recurrent = defineKernel(recurrentOp, { run: recurrentCPU });
export const recurrentBackward = defineKernel(recurrentBackwardOp, { run: recurrentBackwardCPU });
