// How long work takes on a device: so much of it in one pass that no clock's grain matters, by the device's timestamps or
// by the wall clock.
import { GatewiseError } from '../../core/errors.ts';
import { BufferUsage } from './flags.ts';
import type { Staging } from './staging.ts';

/** The device's own time at the ends of a pass; or the wall clock, from which the time of an empty pass is taken off. */
export type Clock = 'timestamps' | 'slopes';

/** Records the work that is timed `times` times; timed are powers of two, and 0. */
export type Repeat = (pass: GPUComputePassEncoder, times: number) => void;

interface Run {
  /** From the submit to its end: recording the pass before that is not the device's time. */
  readonly wall: number;
  /** By the device's own clock, if that was asked for. */
  readonly stamped?: number;
}

/** Work that is being timed. */
export interface Timing {
  readonly repeat: Repeat;
  readonly clock: Clock;
  /** Turns of each run: so many that it is long enough. */
  readonly times: number;
  /** The wall clock of no turn. */
  readonly empty: number;
  /** So far. */
  readonly runs: Run[];
}

/** Seconds, at most, in which browsers' clocks and timestamps tell time. A run is a hundred times as long. */
const GRAIN = 1e-4;
const ENOUGH = 100 * GRAIN;
const MOST_GROWTH = 16;
/** How many runs tell what is typical, and how many where they take longer than so many seconds. */
const RUNS = 5;
const FEWER = 3;
const LONG = 0.1;

export class Stopwatch {
  readonly #device: GPUDevice;
  readonly #staging: Staging;
  readonly #idle: () => Promise<void>;
  readonly #stamps: { readonly set: GPUQuerySet; readonly buffer: GPUBuffer } | undefined;

  /** @param idle resolves when all that was queued is done, and rejects where some of it failed. */
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

  /** The clock to use: timestamps may stand still, or count in a unit of their own, so the wall clock must confirm them. */
  async clockFor(repeat: Repeat): Promise<Clock> {
    if (this.#stamps === undefined) return 'slopes';
    const { runs, empty } = await this.start(repeat, 'timestamps');
    const ratio = median(runs.map(({ wall, stamped = 0 }) => stamped / (wall - empty)));
    return ratio > 0.5 && ratio < 2 ? 'timestamps' : 'slopes';
  }

  /** Finds out how many turns make a run, and makes the first few. */
  async start(repeat: Repeat, clock: Clock): Promise<Timing> {
    // The first run makes ready what the driver puts off until then.
    await this.#run(repeat, 1, clock);
    const few = (times: number): Promise<Run[]> => series(FEWER, () => this.#run(repeat, times, clock));
    // The shortest: an empty run that was held up would make the others too short.
    const empty = Math.min(...(await few(0)).map(({ wall }) => wall));
    for (let times = 1; ;) {
      const runs = await few(times);
      // By the wall clock and the median, so that neither a clock that stands still nor a single hitch decides.
      const seconds = median(runs.map(({ wall }) => wall)) - empty;
      if (seconds >= ENOUGH) return { repeat, clock, times, empty, runs };
      times *= Math.min(MOST_GROWTH, 2 ** Math.ceil(Math.log2(ENOUGH / Math.max(seconds, GRAIN))));
    }
  }

  /** Seconds of one turn by the wall clock, roughly: enough to see that something is far too slow. */
  async once(repeat: Repeat): Promise<number> {
    const walls = await series(2, async () => (await this.#run(repeat, 1, 'slopes')).wall);
    // The first of them makes ready what the driver puts off until then.
    return Math.min(...walls);
  }

  /** One more run. */
  async again({ repeat, clock, times, runs }: Timing): Promise<void> {
    runs.push(await this.#run(repeat, times, clock));
  }

  /** Seconds of one turn: the median of a few runs. */
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

/** Seconds of one turn, by each run. */
export function secondsOf({ runs, times, empty }: Timing): number[] {
  const seconds = runs.map(({ wall, stamped = wall - empty }) => stamped / times);
  // WebGPU allows timestamps that go back now and then.
  const sound = seconds.filter((sample) => sample > 0);
  if (sound.length === 0)
    throw new GatewiseError(
      'device',
      "timing: the device's timestamps went back in every run, though they had been sound; calibrate({ again: true })",
    );
  return sound;
}

/** One after the other. */
export async function series<T>(count: number, measure: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < count) results.push(await measure());
  return results;
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
