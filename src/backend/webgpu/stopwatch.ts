// Times work on a device, by device timestamps or by the wall clock. One pass repeats the work often enough that the clock's
// resolution does not matter.
import { GatewiseError } from '../../core/errors.ts';
import { BufferUsage } from './flags.ts';
import type { Staging } from './staging.ts';

/** Timestamps at the start and end of a pass; or the wall clock, minus the time of an empty pass. */
export type Clock = 'timestamps' | 'slopes';

/** Records `times` repetitions of the timed work; `times` is 0 or a power of two. */
export type Repeat = (pass: GPUComputePassEncoder, times: number) => void;

interface Run {
  /** Wall-clock seconds from the submit to its end, so that recording the pass is excluded. */
  readonly wall: number;
  /** Seconds by device timestamps, if requested. */
  readonly stamped?: number;
}

/** A measurement in progress. */
export interface Timing {
  readonly repeat: Repeat;
  readonly clock: Clock;
  /** Repetitions per run: enough to exceed the minimum duration. */
  readonly times: number;
  /** Wall-clock seconds of a run without repetitions. */
  readonly empty: number;
  /** The runs so far. */
  readonly runs: Run[];
}

/** Upper bound, in seconds, on the resolution of browsers' clocks and timestamps. A run takes 100 times as long. */
const GRAIN = 1e-4;
const ENOUGH = 100 * GRAIN;
const MOST_GROWTH = 16;
/** The number of runs for a median, the smaller number for long runs, and the seconds from which a run counts as long. */
const RUNS = 5;
const FEWER = 3;
const LONG = 0.1;

export class Stopwatch {
  readonly #device: GPUDevice;
  readonly #staging: Staging;
  readonly #idle: () => Promise<void>;
  readonly #stamps: { readonly set: GPUQuerySet; readonly buffer: GPUBuffer } | undefined;

  /** @param idle Resolves when all queued work is done, and rejects if some of it failed. */
  constructor(device: GPUDevice, staging: Staging, idle: () => Promise<void>) {
    this.#device = device;
    this.#staging = staging;
    this.#idle = idle;
    if (!device.features.has('timestamp-query')) return;
    const label = 'gatewise timestamps';
    this.#stamps = {
      set: device.createQuerySet({ label, type: 'timestamp', count: 2 }),
      buffer: device.createBuffer({
        label,
        size: 16,
        usage: BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC,
      }),
    };
  }

  /** Selects the clock: timestamps may stand still or use a wrong unit, so the wall clock must confirm them. */
  async clockFor(repeat: Repeat): Promise<Clock> {
    if (this.#stamps === undefined) return 'slopes';
    const { runs, empty } = await this.start(repeat, 'timestamps');
    const ratio = median(runs.map(({ wall, stamped = 0 }) => stamped / (wall - empty)));
    return ratio > 0.5 && ratio < 2 ? 'timestamps' : 'slopes';
  }

  /** Determines the repetitions per run, and makes the first few runs. */
  async start(repeat: Repeat, clock: Clock): Promise<Timing> {
    // A warm-up run triggers the driver's deferred work.
    await this.#run(repeat, 1, clock);
    const few = (times: number): Promise<Run[]> => series(FEWER, () => this.#run(repeat, times, clock));
    // The minimum: an empty run that was delayed would make the others appear too short.
    const empty = Math.min(...(await few(0)).map(({ wall }) => wall));
    for (let times = 1; ;) {
      const runs = await few(times);
      // Median of the wall clock: neither a timestamp that stands still nor a single delay affects it.
      const seconds = median(runs.map(({ wall }) => wall)) - empty;
      if (seconds >= ENOUGH) return { repeat, clock, times, empty, runs };
      times *= Math.min(MOST_GROWTH, 2 ** Math.ceil(Math.log2(ENOUGH / Math.max(seconds, GRAIN))));
    }
  }

  /** A rough wall-clock time of one repetition, to recognise variants that are far too slow. */
  async once(repeat: Repeat): Promise<number> {
    const walls = await series(2, async () => (await this.#run(repeat, 1, 'slopes')).wall);
    // The first run triggers the driver's deferred work.
    return Math.min(...walls);
  }

  /** Adds one run. */
  async again({ repeat, clock, times, runs }: Timing): Promise<void> {
    runs.push(await this.#run(repeat, times, clock));
  }

  /** Seconds per repetition: the median of a few runs. */
  async typical(repeat: Repeat, clock: Clock): Promise<number> {
    const timing = await this.start(repeat, clock);
    const more = timing.runs.some(({ wall }) => wall < LONG) ? RUNS - timing.runs.length : 0;
    for (let i = 0; i < more; i++) await this.again(timing);
    return median(secondsOf(timing));
  }

  async #run(repeat: Repeat, times: number, clock: Clock): Promise<Run> {
    const stamps = clock === 'timestamps' ? this.#stamps : undefined;
    const label = 'gatewise timing';
    const encoder = this.#device.createCommandEncoder({ label });
    const pass = encoder.beginComputePass({
      label,
      ...(stamps && {
        timestampWrites: { querySet: stamps.set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
      }),
    });
    repeat(pass, times);
    pass.end();
    if (stamps !== undefined) encoder.resolveQuerySet(stamps.set, 0, 2, stamps.buffer, 0);
    const readback = stamps && this.#staging.copy(encoder, stamps.buffer, 0, 4, 'i32');
    const commands = encoder.finish();
    await this.#idle();
    const start = performance.now();
    this.#device.queue.submit([commands]);
    await this.#idle();
    const wall = (performance.now() - start) / 1000;
    if (readback === undefined) return { wall };
    const [begin, end] = new BigInt64Array(Int32Array.from(await readback.arrive()).buffer);
    return { wall, stamped: Number(end - begin) / 1e9 };
  }

  dispose(): void {
    this.#stamps?.set.destroy();
    this.#stamps?.buffer.destroy();
  }
}

/** Seconds per repetition, for each run. */
export function secondsOf({ runs, times, empty }: Timing): number[] {
  const seconds = runs.map(({ wall, stamped = wall - empty }) => stamped / times);
  // WebGPU allows timestamps to decrease occasionally.
  const sound = seconds.filter((sample) => sample > 0);
  if (sound.length === 0)
    throw new GatewiseError(
      'device',
      "timing: the device's timestamps went back in every run, though they had been sound; calibrate({ again: true })",
    );
  return sound;
}

/** Runs asynchronous calls in sequence. */
export async function series<T>(count: number, measure: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < count) results.push(await measure());
  return results;
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
