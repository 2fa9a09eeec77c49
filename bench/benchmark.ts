// One pass of the benchmark: the same in a page and in Node.
import { createRuntime, type Calibration, type RuntimeOptions } from '../src/index.ts';
import { loadContestant, type Contestant, type ContestantSource } from './contestants/contestant.ts';
import { makeTask } from './data.ts';
import { floorOf } from './floor.ts';
import { measureWorkload, type Environment } from './measure.ts';
import { timeOf, type Results, type Row, type Settings } from './results.ts';
import type { Workload } from './workloads.ts';

/** The rows with ρ, for contestants on the adapter that was calibrated. */
export function withRho(
  workloads: readonly Workload[],
  rows: readonly Row[],
  calibration: Calibration,
): Row[] {
  return rows.map((row) => {
    const workload = workloads.find(({ name }) => name === row.workload);
    const time = workload && timeOf(workload, row);
    if (time === undefined || workload === undefined || row.backend !== 'webgpu') return row;
    return { ...row, rho: floorOf(workload, calibration) / time };
  });
}

export type PassEvent =
  /** `done`: 0 to 1. */
  | { readonly kind: 'progress'; readonly text: string; readonly done: number }
  /** After each workload, so that the results survive if the browser dies later. */
  | { readonly kind: 'rows'; readonly results: Results };
export type Listener = (event: PassEvent) => void;

export interface PassOptions extends Pick<Results, 'adapter' | 'environment' | 'peers' | 'workloads'> {
  readonly sources: readonly ContestantSource[];
  readonly settings: Settings;
  readonly measuring: Environment;
  /** Where gatewise's devices come from. */
  readonly runtime?: RuntimeOptions;
  readonly load?: (source: ContestantSource) => Promise<Contestant>;
}

/** Calibrates the adapter, loads the contestants, and measures one workload after the other. */
export async function measurePass(options: PassOptions, listen: Listener): Promise<Results> {
  const { sources, workloads, adapter, environment, settings, peers, measuring, runtime } = options;
  const { load = loadContestant } = options;
  const date = new Date().toISOString();
  const progress = (text: string, done: number): void => listen({ kind: 'progress', text, done });
  progress('calibrating the adapter', 0);
  // On a device of its own, which is gone when others are timed.
  const calibrated = await createRuntime({ ...runtime, backend: 'webgpu' });
  const calibration = await calibrated.calibrate().finally(() => calibrated.dispose());
  const contestants: Contestant[] = [];
  try {
    for (const source of sources) {
      progress(`loading ${source.name}`, 0);
      contestants.push(await load(source));
    }
    const versions = Object.fromEntries(contestants.map(({ name, version }) => [name, version]));
    const about = { date, adapter, environment, versions, settings, calibration, workloads };
    const asked = peers === undefined ? {} : { peers };
    const rows: Row[] = [];
    const results = (): Results => ({
      version: 2,
      ...about,
      ...asked,
      rows: withRho(workloads, rows, calibration),
    });
    const stuck = new Map<Contestant, string>();
    for (const [at, workload] of workloads.entries()) {
      const task = makeTask(workload, settings.seed);
      const report = (text: string, done: number): void => progress(text, (at + done) / workloads.length);
      const measured = await measureWorkload(contestants, task, settings, measuring, report, stuck);
      rows.push(...measured);
      listen({ kind: 'rows', results: results() });
    }
    return results();
  } finally {
    // An error here must not lose the results.
    for (const { name, dispose } of contestants)
      try {
        dispose?.();
      } catch (error) {
        console.error(`${name} could not be disposed of`, error);
      }
  }
}
