// The ops whose kernels take long to compile have files of their own, so that files take about as long as each other.
import { allOps } from '../../../src/ops/index.ts';

const GROUPS = {
  products: ['matmul'],
  recurrent: ['recurrent'],
  recurrent_backward: ['recurrent_backward'],
} as const;

export const opsOf = (group: keyof typeof GROUPS): typeof allOps =>
  allOps.filter(({ name }) => (GROUPS[group] as readonly string[]).includes(name));

const inGroups: readonly string[] = Object.values(GROUPS).flat();
export const otherOps: typeof allOps = allOps.filter(({ name }) => !inGroups.includes(name));
