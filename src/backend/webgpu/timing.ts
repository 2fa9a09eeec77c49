// Measures how long work takes on the device, by the device's timestamps or the wall clock. It repeats the work in one pass until
// the resolution of these clocks does not matter.
import { GatewiseError } from '../../core/errors.ts';
import { BufferUsage } from './flags.ts';
import type { Staging } from './staging.ts';

/** Timestamps of the device at both ends of a pass; or slopes: the wall clock less the time of an empty pass. */
export type Clock = 'timestamps' | 'slopes';

/** Records the measured work `times` times, where `times` is 0 or a power of two. */
export type Repeat = (pass: GPUComputePassEncoder, times: number) => void;

/** The time of one submitted pass, in seconds. */
interface Sample {
  /** From the submit to the end of the work, by the wall clock. Recording the pass is not included. */
  readonly wall: number;
  /** By the device's timestamps, if they are the clock. */
  readonly device?: number;
}

/** A measurement, to which more samples can be added. */
export interface Measurement {
  readonly repeat: Repeat;
  readonly clock: Clock;
  /** Repeats of the work in each sample. */
  readonly times: number;
  /** Seconds of an empty pass, by the wall clock. */
  readonly empty: number;
  readonly samples: Sample[];
}

/** The resolution of browsers' clocks and timestamps, in seconds: at worst 0.1 ms. */
const CLOCK_RESOLUTION = 1e-4;
const MIN_SAMPLE = 100 * CLOCK_RESOLUTION;
/** The largest factor by which the number of repeats grows from one attempt to the next. */
const MAX_GROWTH = 16;
/** Samples of a median, and samples if each of them takes at least LONG_SAMPLE seconds. */
const SAMPLES = 5;
const MIN_SAMPLES = 3;
const LONG_SAMPLE = 0.1;

const TIMESTAMPS = BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC;

export class DeviceTimer {
  readonly #device: GPUDevice;
  readonly #staging: Staging;
  readonly #idle: () => Promise<void>;
  readonly #timestamps: { readonly querySet: GPUQuerySet; readonly buffer: GPUBuffer } | undefined;

  /** @param idle Resolves when all queued work is done, and rejects if some of it failed. */
  constructor(device: GPUDevice, staging: Staging, idle: () => Promise<void>) {
    this.#device = device;
    this.#staging = staging;
    this.#idle = idle;
    if (!device.features.has('timestamp-query')) return;
    const label = 'gatewise timestamps';
    this.#timestamps = {
      querySet: device.createQuerySet({ label, type: 'timestamp', count: 2 }),
      buffer: device.createBuffer({ label, size: 16, usage: TIMESTAMPS }),
    };
  }

  /**
   * The clock for this device: timestamps if they agree with the wall clock within a factor of 2. On some devices they stand
   * still, or count in another unit than the specified nanoseconds.
   */
  async chooseClock(repeat: Repeat): Promise<Clock> {
    if (this.#timestamps === undefined) return 'slopes';
    const { samples, empty } = await this.start(repeat, 'timestamps');
    const ratio = median(samples.map(({ wall, device = 0 }) => device / (wall - empty)));
    return ratio > 0.5 && ratio < 2 ? 'timestamps' : 'slopes';
  }

  /** Starts a measurement: finds the number of repeats that makes a sample long enough, and takes the first samples. */
  async start(repeat: Repeat, clock: Clock): Promise<Measurement> {
    // A first, unused sample: drivers defer some work, such as compilation, to the first launch.
    await this.#sample(repeat, 1, clock);
    const take = (times: number): Promise<Sample[]> =>
      series(MIN_SAMPLES, () => this.#sample(repeat, times, clock));
    // The minimum: a delayed empty pass would make all other times too short.
    const empty = Math.min(...(await take(0)).map(({ wall }) => wall));
    for (let times = 1; ;) {
      const samples = await take(times);
      // Wall clock and median: neither timestamps that stand still nor a single delay decides.
      const seconds = median(samples.map(({ wall }) => wall)) - empty;
      if (seconds >= MIN_SAMPLE) return { repeat, clock, times, empty, samples };
      times *= Math.min(
        MAX_GROWTH,
        2 ** Math.ceil(Math.log2(MIN_SAMPLE / Math.max(seconds, CLOCK_RESOLUTION))),
      );
    }
  }

  /** A rough time of one repeat in seconds, by the wall clock: the smaller of two samples, since the first includes warm-up. */
  async estimate(repeat: Repeat): Promise<number> {
    const walls = await series(2, async () => (await this.#sample(repeat, 1, 'slopes')).wall);
    return Math.min(...walls);
  }

  /** Takes one more sample. */
  async addSample({ repeat, clock, times, samples }: Measurement): Promise<void> {
    samples.push(await this.#sample(repeat, times, clock));
  }

  /** The median time of one repeat, in seconds. */
  async medianSeconds(repeat: Repeat, clock: Clock): Promise<number> {
    const measurement = await this.start(repeat, clock);
    const { samples } = measurement;
    const missing = samples.some(({ wall }) => wall < LONG_SAMPLE) ? SAMPLES - samples.length : 0;
    for (let i = 0; i < missing; i++) await this.addSample(measurement);
    return median(secondsOf(measurement));
  }

  async #sample(repeat: Repeat, times: number, clock: Clock): Promise<Sample> {
    const timestamps = clock === 'timestamps' ? this.#timestamps : undefined;
    const label = 'gatewise timing';
    const encoder = this.#device.createCommandEncoder({ label });
    const writes = { beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    const pass = encoder.beginComputePass({
      label,
      ...(timestamps && { timestampWrites: { querySet: timestamps.querySet, ...writes } }),
    });
    repeat(pass, times);
    pass.end();
    if (timestamps !== undefined) encoder.resolveQuerySet(timestamps.querySet, 0, 2, timestamps.buffer, 0);
    const readback =
      timestamps && this.#staging.copy(encoder, { gpuBuffer: timestamps.buffer, offset: 0 }, 0, 4, 'i32');
    const commands = encoder.finish();
    await this.#idle();
    const start = performance.now();
    this.#device.queue.submit([commands]);
    await this.#idle();
    const wall = (performance.now() - start) / 1000;
    if (readback === undefined) return { wall };
    const [begin, end] = new BigInt64Array(Int32Array.from(await readback.read()).buffer);
    return { wall, device: Number(end - begin) / 1e9 };
  }

  dispose(): void {
    this.#timestamps?.querySet.destroy();
    this.#timestamps?.buffer.destroy();
  }
}

/** The time of one repeat by each sample, in seconds. @throws GatewiseError `device` if no sample is usable. */
function secondsOf({ samples, times, empty }: Measurement): number[] {
  const seconds = samples.map(({ wall, device = wall - empty }) => device / times);
  // WebGPU allows timestamps to go back now and then.
  const usable = seconds.filter((value) => value > 0);
  if (usable.length === 0)
    throw new GatewiseError(
      'device',
      "timing: the device's timestamps went back in every run, though they had been sound; calibrate({ again: true })",
    );
  return usable;
}

/** The least time of one repeat: other load on the machine can only add time. @throws GatewiseError as `secondsOf`. */
export const minSeconds = (measurement: Measurement): number => Math.min(...secondsOf(measurement));

/** The results of `count` measurements, one after the other. */
export async function series<T>(count: number, measure: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < count) results.push(await measure());
  return results;
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
