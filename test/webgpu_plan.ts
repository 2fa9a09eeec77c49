// Plans as the WebGPU backend makes them, for tests that need no device.
import type { Value } from '../src/graph/value.ts';
import { countDispatches } from '../src/backend/webgpu/launches.ts';
import { webgpuTarget } from '../src/backend/webgpu/kernels/index.ts';
import { makePlan, type Plan, type PlanOptions } from '../src/plan/plan.ts';
import { printPlan } from '../src/plan/print.ts';

export const planOf = (
  args: readonly Value[],
  outputs: readonly Value[],
  options: Partial<PlanOptions> = {},
): Plan => makePlan(args, outputs, { target: webgpuTarget, ...options });

/** A plan as text, with the launches of a GPU. */
export const planText = (plan: Plan): string =>
  printPlan(
    plan,
    plan.steps.map((step) => ({ dispatches: countDispatches(step) })),
  );

/** Kernel launches of all steps on a GPU. */
export const launchesOf = (plan: Plan): number =>
  plan.steps.reduce((total, step) => total + countDispatches(step), 0);
