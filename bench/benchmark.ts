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

/** Where a pass has come to: what it is doing, how much of it is done (0 to 1), and its results once a workload is done. */
export interface Listener {
  onProgress(text: string, done: number): void;
  onRows(results: Results): void;
}

export interface PassOptions extends Pick<Results, 'adapter' | 'environment' | 'peers' | 'workloads'> {
  readonly sources: readonly ContestantSource[];
  readonly settings: Settings;
  readonly measuring: Environment;
  /** Where gatewise's devices come from. */
  readonly runtime?: RuntimeOptions;
  readonly load?: (source: ContestantSource) => Promise<Contestant>;
}

/** How much of a pass is over before the first workload. */
const READY = 0.05;

/** Calibrates the adapter, loads the contestants, and measures one workload after the other. */
export async function measurePass(options: PassOptions, { onProgress, onRows }: Listener): Promise<Results> {
  const { sources, workloads, adapter, environment, settings, peers, measuring, runtime } = options;
  const { load = loadContestant } = options;
  const date = new Date().toISOString();
  onProgress('calibrating the adapter', 0);
  // On a device of its own, of which nothing is left when others are timed.
  const calibrated = await createRuntime({ ...runtime, backend: 'webgpu' });
  const calibration = await calibrated.calibrate().finally(() => calibrated.dispose());
  const contestants: Contestant[] = [];
  try {
    for (const [i, source] of sources.entries()) {
      onProgress(`loading ${source.name}`, (READY * (i + 1)) / (sources.length + 1));
      contestants.push(await load(source));
    }
    const versions = Object.fromEntries(contestants.map(({ name, version }) => [name, version]));
    const about = { date, adapter, environment, versions, settings, calibration, workloads };
    const rows: Row[] = [];
    const results = (): Results => ({
      version: 2,
      ...about,
      ...(peers === undefined ? {} : { peers }),
      rows: withRho(workloads, rows, calibration),
    });
    const stuck = new Map<Contestant, string>();
    for (const [at, workload] of workloads.entries()) {
      const task = makeTask(workload, settings.seed);
      const report = (text: string, done: number): void =>
        onProgress(text, READY + ((1 - READY) * (at + done)) / workloads.length);
      const measured = await measureWorkload(contestants, task, settings, measuring, report, stuck);
      rows.push(...measured);
      onRows(results());
    }
    return results();
  } finally {
    // The results outlive what one of them throws here.
    for (const { name, dispose } of contestants)
      try {
        dispose?.();
      } catch (error) {
        console.error(`${name} could not be disposed of`, error);
      }
  }
}
