// The benchmark as a function: the same in a page and in Node.
import type { Calibration } from '../src/index.ts';
import type { Contestant } from './contestants/contestant.ts';
import { makeTask } from './data.ts';
import { floorOf, withRate } from './floor.ts';
import { measureWorkload, type Environment, type Progress } from './measure.ts';
import { timeOf, type Row, type Settings } from './results.ts';
import type { Workload } from './workloads.ts';

export interface BenchmarkOptions {
  readonly contestants: readonly Contestant[];
  readonly workloads: readonly Workload[];
  readonly settings: Settings;
  readonly calibration: Calibration;
  readonly environment: Environment;
  /** Is told of each step, and of the rows of a workload once they are there. */
  readonly onProgress: (progress: Progress) => void;
  readonly onRows: (rows: readonly Row[]) => void;
}

/** FLOP per second of gatewise's fastest product, if there is one. */
function productRate(workloads: readonly Workload[], rows: readonly Row[]): number | undefined {
  const rates = workloads.flatMap((workload) => {
    if (workload.kind !== 'matmul') return [];
    const row = rows.find(
      ({ workload: name, library, backend }) =>
        name === workload.name && library === 'gatewise' && backend === 'webgpu',
    );
    const time = row && timeOf(workload, row);
    return time === undefined ? [] : [(2e3 * workload.rows * workload.inner * workload.columns) / time];
  });
  return rates.length === 0 ? undefined : Math.max(...rates);
}

/** The rows with their floors: of every contestant on the adapter that was calibrated. */
export function withFloors(
  workloads: readonly Workload[],
  rows: readonly Row[],
  calibration: Calibration,
): Row[] {
  const rate = productRate(workloads, rows);
  return rows.map((row) => {
    const workload = workloads.find(({ name }) => name === row.workload);
    const time = workload && timeOf(workload, row);
    if (time === undefined || workload === undefined || row.backend !== 'webgpu') return row;
    const floor = floorOf(workload, calibration);
    const ofProduct = rate && floorOf(workload, withRate(calibration, rate)).time;
    return {
      ...row,
      floor,
      rho: floor.time / time,
      ...(ofProduct === undefined ? {} : { rhoProduct: ofProduct / time }),
    };
  });
}

export async function runBenchmark(options: BenchmarkOptions): Promise<Row[]> {
  const { contestants, workloads, settings, calibration, environment } = options;
  const rows: Row[] = [];
  const stuck = new Map<Contestant, string>();
  for (const workload of workloads) {
    const task = makeTask(workload, settings.seed);
    const measured = await measureWorkload(
      contestants,
      task,
      settings,
      environment,
      options.onProgress,
      stuck,
    );
    rows.push(...measured);
    options.onRows(withFloors(workloads, rows, calibration).slice(-measured.length));
  }
  return withFloors(workloads, rows, calibration);
}
