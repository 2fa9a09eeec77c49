// gatewise/tools: what a developer asks of anything that has a plan. The plan as data and as text, measured times, tuned kernels.
export { explain, plan, prepare, profile, tune } from './inspect.ts';
export { countDispatches } from '../backend/webgpu/launches.ts';
export type { TunedKind, Tuning } from '../backend/tuning.ts';
export { floorSeconds, type Bound, type Calibration, type Floor, type Work } from '../plan/calibration.ts';
export type { Plan, Step } from '../plan/plan.ts';
export { printPlan, printProfile } from '../plan/print.ts';
export type { Profile, ProfileStep } from '../plan/profile.ts';
export type { Planned } from '../runtime/program.ts';
