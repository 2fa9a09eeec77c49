// What a run of the benchmark leaves behind, as JSON.
import type { Calibration } from '../src/index.ts';
import type { BackendName } from './contestants/contestant.ts';
import type { Counts } from './counters.ts';
import type { Floor } from './floor.ts';
import type { Summary } from './statistics.ts';
import { setNames, workloadsOf, type Workload } from './workloads.ts';

/** `wrong`: the answer differs; `fell back`: a WebGPU contestant that dispatched nothing. Neither is timed. */
export type Status = 'ok' | 'wrong' | 'fell back' | 'unsupported' | 'failed';

/** Times in milliseconds. */
export interface Timing {
  /** From an empty model to the first result on the CPU: weights, shaders, one run. */
  readonly first: number;
  /** One run, from the call to its result on the CPU. */
  readonly latency: Summary;
  /** One run of many back to back: the slope over their number. */
  readonly throughput: Summary;
  /** What one run keeps the page's own thread busy until the call has returned. */
  readonly script: Summary;
}

export interface Row {
  readonly workload: string;
  readonly contestant: string;
  readonly library: string;
  readonly backend: BackendName;
  readonly status: Status;
  /** Why it is not `ok`, or what to know of the row. */
  readonly note?: string;
  /** The largest difference from the reference, as a part of its largest number. */
  readonly error?: number;
  readonly timing?: Timing;
  /** WebGPU calls of one run with its result read, when everything is warm. */
  readonly counts?: Counts;
  /** Bytes of GPU buffers that it holds. */
  readonly gpuBytes?: number;
  /** JavaScript heap that one run leaves to the collector, in bytes; absent where it cannot be measured. */
  readonly heapBytes?: number;
  /** The floor of the workload on this adapter. */
  readonly floor?: Floor;
  /** Floor over measured: throughput, of streams latency. */
  readonly rho?: number;
  /** As rho, with the multiply-add rate of gatewise's best product in this run in place of the register-only kernel's. */
  readonly rhoProduct?: number;
}

/** What a workload is judged by: of a stream the wait for each result, else the pace of many runs; milliseconds. */
export function spreadOf({ kind }: Workload, { timing }: Row): Summary | undefined {
  return kind === 'stream' ? timing?.latency : timing?.throughput;
}

/** Its median. */
export const timeOf = (workload: Workload, row: Row): number | undefined => spreadOf(workload, row)?.median;

export interface Adapter {
  readonly description: string;
  readonly software: boolean;
  readonly vendor: string;
  readonly architecture: string;
}

/** What a page cannot know by itself: absent where a person opened it. */
export interface Machine {
  /** Of this repository, as `git describe --always --dirty` has it. */
  readonly commit?: string;
  /** The CPU's model. */
  readonly cpu?: string;
}

/** What a run ran on: `gpu, 8 cores of a CPU, gatewise at 1a2b3c4`. */
export function describeRun(
  { description }: Pick<Adapter, 'description'>,
  { cores, cpu, commit }: Machine & { readonly cores: number },
): string {
  const of = cpu === undefined ? '' : ` of ${cpu}`;
  return `${description}, ${cores} cores${of}${commit === undefined ? '' : `, gatewise at ${commit}`}`;
}

/** @throws Error where a file is of another kind, or of a version that had other numbers. */
export function readResults(text: string): Results {
  const results = JSON.parse(text) as Partial<Results> | null;
  if (results?.version !== 2)
    throw new Error(
      `expected results of version 2, got ${results?.version === undefined ? 'something else' : `version ${String(results.version)}`}; measure anew`,
    );
  return results as Results;
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
  /** Of every contestant that was loaded, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Settings;
  /** Who was asked for, where it was not everyone. */
  readonly peers?: readonly string[];
  readonly calibration: Calibration;
  readonly workloads: readonly Workload[];
  readonly rows: readonly Row[];
}

/** More than so many workloads by name are only counted in a file's name. */
const NAMED = 4;

/** What was measured, in a word: a set's name, or the workloads' names. */
function selectionWord(chosen: readonly Workload[]): string {
  const names = chosen.map(({ name }) => name).join(' ');
  const set = setNames.find(
    (one) =>
      workloadsOf(one)
        .map(({ name }) => name)
        .join(' ') === names,
  );
  return set ?? (chosen.length > NAMED ? `${chosen.length}-workloads` : names.replaceAll(' ', '-'));
}

/**
 * A name for the files of a run: its date, its adapter, and what is not as in a full run, so that it does not take the
 * place of that: `2026-01-31-google-swiftshader`, `2026-01-31-google-swiftshader-long-deep-gatewise-reversed`.
 */
export function resultsName({
  date,
  adapter,
  workloads,
  settings,
  peers,
}: Pick<Results, 'date' | 'adapter' | 'workloads' | 'settings' | 'peers'>): string {
  const words = adapter.description.replace(/^WebGPU: /, '').toLowerCase();
  const word = selectionWord(workloads);
  return [
    date.slice(0, 10),
    ...(words.match(/[a-z0-9]+/g) ?? []),
    ...(word === 'full' ? [] : [word]),
    ...(peers === undefined ? [] : [peers.join('-')]),
    ...(settings.reversed ? ['reversed'] : []),
    ...(settings.seed === presets.full.seed ? [] : [`seed${settings.seed}`]),
  ].join('-');
}

export interface Settings {
  readonly seed: number;
  /** Samples of each contestant and workload, at least and at most. */
  readonly minSamples: number;
  readonly maxSamples: number;
  /** Sampling of a contestant ends when it has taken so long and has its least number of samples; milliseconds. */
  readonly budget: number;
  /** How long many runs back to back should take; milliseconds. */
  readonly burst: number;
  /** How long preparing with the first answers, a run or a sample may take: who takes longer is left out from there on. */
  readonly deadline: number;
  /** Contestants take turns from the last to the first; of several passes, in the first and every other one. */
  readonly reversed: boolean;
  /** How often everything is measured, each time prepared anew: bench/passes.ts. */
  readonly passes: number;
}

/** How long is spent on a workload. `trial` is enough to try the benchmark itself, and no more. */
export const presets: Readonly<Record<'trial' | 'quick' | 'full', Settings>> = {
  trial: {
    seed: 1,
    minSamples: 2,
    maxSamples: 3,
    budget: 50,
    burst: 40,
    deadline: 180_000,
    reversed: false,
    passes: 1,
  },
  quick: {
    seed: 1,
    minSamples: 2,
    maxSamples: 15,
    budget: 800,
    burst: 150,
    deadline: 300_000,
    reversed: false,
    passes: 2,
  },
  full: {
    seed: 1,
    minSamples: 2,
    maxSamples: 20,
    budget: 3000,
    burst: 250,
    deadline: 600_000,
    reversed: false,
    passes: 3,
  },
};
