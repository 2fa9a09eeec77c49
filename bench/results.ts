// The results of a run, as they are stored in JSON.
import type { Calibration } from '../src/index.ts';
import type { BackendName } from './contestants/contestant.ts';
import type { Counts } from './counters.ts';
import type { Summary } from './statistics.ts';
import type { SetName, Workload } from './workloads.ts';

/** `wrong`: the answer differs; `fell back`: a WebGPU contestant that dispatched nothing. Neither is timed. */
export type Status = 'ok' | 'wrong' | 'fell back' | 'unsupported' | 'failed';

/** The contestant that the others are compared with. */
export const OWN = 'gatewise webgpu';

/** Times in milliseconds. */
export interface Timing {
  /** From an empty model to the first result on the CPU: weights, shaders, one run. */
  readonly first: number;
  /** One run, from the call to its result on the CPU. */
  readonly latency: Summary;
  /** One run of many back to back: the slope over their number. */
  readonly throughput: Summary;
  /** How long one run keeps the page's own thread busy, until the call has returned. */
  readonly script: Summary;
}

export interface Row {
  readonly workload: string;
  readonly contestant: string;
  readonly library: string;
  readonly backend: BackendName;
  readonly status: Status;
  /** Why it is not `ok`, or a remark on the row. */
  readonly note?: string;
  /** The largest difference from the reference, relative to its largest number. */
  readonly error?: number;
  readonly timing?: Timing;
  /** WebGPU calls of one warm run with its result read. */
  readonly counts?: Counts;
  /** Bytes of the GPU buffers that it holds. */
  readonly gpuBytes?: number;
  /** JavaScript heap that one run leaves to the collector, in bytes; absent where it cannot be measured. */
  readonly heapBytes?: number;
  /** The floor of the workload on this adapter over the measured time: throughput, of streams latency. */
  readonly rho?: number;
}

/** The time that a workload is judged by: latency of streams, else the pace of many runs; milliseconds. */
export function spreadOf({ kind }: Workload, { timing }: Row): Summary | undefined {
  return kind === 'stream' ? timing?.latency : timing?.throughput;
}

/** The median of that time. */
export const timeOf = (workload: Workload, row: Row): number | undefined => spreadOf(workload, row)?.median;

/** The time of gatewise on WebGPU for a workload. */
export function ownTime(workload: Workload, rows: readonly Row[]): number | undefined {
  const row = rows.find(({ workload: name, contestant }) => name === workload.name && contestant === OWN);
  return row && timeOf(workload, row);
}

export interface Adapter {
  readonly description: string;
  readonly software: boolean;
}

/** What only the command knows: absent where a person opened the page. */
export interface Machine {
  /** The commit of this repository, from `git describe --always --dirty`. */
  readonly commit?: string;
  /** The CPU's model. */
  readonly cpu?: string;
}

/** `gpu, 8 cores of a CPU, gatewise at 1a2b3c4` */
export function describeRun(
  { description }: Adapter,
  { cores, cpu, commit }: Machine & { readonly cores: number },
): string {
  const of = cpu === undefined ? '' : ` of ${cpu}`;
  return `${description}, ${cores} cores${of}${commit === undefined ? '' : `, gatewise at ${commit}`}`;
}

/** The times of two commits on one workload: above 1, the working tree is faster. */
export interface Ratio {
  readonly workload: string;
  /** Milliseconds by pass, of the commit and of the working tree. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Before over after: the geometric mean over the passes. */
  readonly ratio: number;
  /** Its 95 % confidence interval; absent with a single pass. */
  readonly interval?: readonly [low: number, high: number];
}

export interface Results {
  readonly version: 2;
  /** ISO 8601. */
  readonly date: string;
  readonly adapter: Adapter;
  /** Browser or Node with its version, system, cores. */
  readonly environment: Machine & {
    readonly agent: string;
    readonly platform: string;
    readonly cores: number;
  };
  /** Of every contestant, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Settings;
  /** The contestants that were asked for, if not all. */
  readonly peers?: readonly string[];
  readonly calibration: Calibration;
  readonly workloads: readonly Workload[];
  readonly rows: readonly Row[];
  /** Of a run against another commit. */
  readonly ratios?: readonly Ratio[];
}

/**
 * A name for the files of a run, by what sets it apart from a full run: `2026-01-31-google-swiftshader-long-deep-gatewise`.
 * @param only the workloads that were asked for by name
 */
export function resultsName(
  { date, adapter, peers = [] }: Results,
  set: SetName,
  only: readonly string[],
): string {
  const words = adapter.description.replace(/^WebGPU: /, '').toLowerCase();
  const chosen = only.length > 4 ? [`${only.length}-workloads`] : only;
  return [
    date.slice(0, 10),
    ...(words.match(/[a-z0-9]+/g) ?? []),
    ...(only.length === 0 && set !== 'full' ? [set] : chosen),
    ...peers,
  ].join('-');
}

export interface Settings {
  readonly seed: number;
  /** Samples of each contestant and workload, at most. */
  readonly maxSamples: number;
  /** Milliseconds after which the sampling of a contestant ends, once it has two samples. */
  readonly budget: number;
  /** How long many runs back to back should take; milliseconds. */
  readonly burst: number;
  /** How long preparing with the first answers, a run or a sample may take: slower contestants are skipped from then on. */
  readonly deadline: number;
  /** Whether contestants take turns from the last to the first, as in every other pass. */
  readonly reversed: boolean;
  /** How often everything is measured, each time prepared anew: passes.ts. */
  readonly passes: number;
}

const common = { seed: 1, reversed: false };

/** How much time a workload gets. `trial` is just enough to try the benchmark itself. */
export const presets: Readonly<Record<'trial' | 'quick' | 'full', Settings>> = {
  trial: { ...common, maxSamples: 3, budget: 50, burst: 40, deadline: 180_000, passes: 1 },
  quick: { ...common, maxSamples: 15, budget: 800, burst: 150, deadline: 300_000, passes: 2 },
  full: { ...common, maxSamples: 20, budget: 3000, burst: 250, deadline: 600_000, passes: 3 },
};
