// Times contestants on one workload. They take turns, so that what disturbs the machine disturbs all of them.
import {
  answersOf,
  CHECKED_RUNS,
  errorOf,
  lateErrorOf,
  makeReference,
  TOLERANCE,
  type Reference,
} from './check.ts';
import { Unsupported, type Contestant, type Job } from './contestants/contestant.ts';
import type { ApiCounter, Counts } from './counters.ts';
import type { Task } from './data.ts';
import type { Row, Settings, Status } from './results.ts';
import { medianOf, summarize } from './statistics.ts';

/** A run of this many milliseconds or more is its own slope: beside it the round trip is negligible. */
const LONG_RUN = 1000;
/** Runs back to back that must dispatch as often as this many single runs. */
const SOME_RUNS = 3;
const WARM_UP_RUNS = 10;
const WARM_UP_TIME = 1000;
const MIN_BURST = 4;
const MAX_BURST = 256;
/** Milliseconds before a turn, in which threads that spin after their work come to rest. */
const PAUSE = 20;
/** Milliseconds between steps of a stream: half of an audio frame of 10 ms. */
const STREAM_PAUSE = 5;
/** Steps of a stream whose median is a sample. */
const STREAM_STEPS = 8;
/** Milliseconds after which a library has done what it defers to a later turn of the event loop. */
const DEFERRED = 2;

/** What differs between a page and Node. */
export interface Environment {
  readonly counter: ApiCounter;
  /** Runs the garbage collector, and the bytes in use; absent where a page may not. */
  readonly heap?: { collect(): void; used(): number };
}

/** Receives the current activity, and the share of the workload that is done, 0 to 1. */
export type Report = (text: string, done: number) => void;

/** Why a contestant is not timed although it answered. */
class Refused extends Error {
  readonly status: Status;
  readonly error: number;

  constructor(status: Status, note: string, error: number) {
    super(note);
    this.status = status;
    this.error = error;
  }
}

/** Something took longer than the deadline. */
class Overdue extends Error {}

const pause = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));

/** @throws Overdue after the deadline. The action continues, since it cannot be stopped. */
async function within<T>(deadline: number, what: string, action: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new Overdue(`${what} took more than ${deadline / 1000} s`));
    timer = setTimeout(fail, deadline);
  });
  return Promise.race([action(), late]).finally(() => clearTimeout(timer));
}

async function runAndRead(job: Job, runs: number): Promise<void> {
  for (let run = 0; run < runs; run++) await job.run();
  await job.read();
}

const timeOf = async (action: () => Promise<void>): Promise<number> => {
  const start = performance.now();
  await action();
  return performance.now() - start;
};

/** One contestant on one workload: prepared, checked, sampled, until something fails. */
class Entrant {
  readonly contestant: Contestant;
  readonly #task: Task;
  readonly #settings: Settings;
  readonly #environment: Environment;
  #row: Row;
  #job: Job | undefined;
  #reference: Reference | undefined;
  /** Milliseconds of the first call. */
  #first = 0;
  /** Runs of a sample of the pace; 1: a single run is long enough. */
  #burst = 1;
  readonly #samples: Record<'latency' | 'throughput' | 'script' | 'heap', number[]> = {
    latency: [],
    throughput: [],
    script: [],
    heap: [],
  };
  #spent = 0;

  constructor(contestant: Contestant, task: Task, settings: Settings, environment: Environment) {
    this.contestant = contestant;
    this.#task = task;
    this.#settings = settings;
    this.#environment = environment;
    const { name, library, backend, resetBefore = false } = contestant;
    const other = resetBefore && 'cell' in task && task.cell === 'gru';
    const note = other ? { note: 'its GRU has the reset before the product' } : {};
    this.#row = { workload: task.name, contestant: name, library, backend, status: 'ok', ...note };
  }

  /** Runs the next part, unless one has failed before. @returns Whether it ended in time. */
  async attempt(action: () => Promise<void>): Promise<boolean> {
    if (this.#row.status !== 'ok') return true;
    try {
      await action();
    } catch (cause) {
      const status =
        cause instanceof Refused ? cause.status : cause instanceof Unsupported ? 'unsupported' : 'failed';
      const error = cause instanceof Refused && Number.isFinite(cause.error) ? { error: cause.error } : {};
      const note = cause instanceof Error ? cause.message : String(cause);
      this.#row = { ...this.#row, status, note, ...error };
      this.dispose();
      return !(cause instanceof Overdue);
    }
    return true;
  }

  /** All but the timing: prepares a job, checks its first answers, warms it up, counts the calls of a run. */
  async enter(reference: Reference): Promise<void> {
    const { counter } = this.#environment;
    const { deadline, burst } = this.#settings;
    this.#reference = reference;
    const onDevice = this.contestant.backend === 'webgpu';
    const prepared = await counter.during(() =>
      within(deadline, 'preparing with the first answers', async () => {
        const start = performance.now();
        const job = (this.#job = await this.contestant.prepare(this.#task));
        const { answers, firstAt } = await answersOf(job, CHECKED_RUNS[this.#task.kind]);
        this.#first = firstAt - start;
        return { job, error: errorOf(answers, reference) };
      }),
    );
    const { job, error } = prepared.result;
    this.#check(error, '');
    const refuse = (status: Status, note: string): never => {
      throw new Refused(status, note, error);
    };
    if (onDevice && prepared.counts.dispatches === 0)
      refuse('fell back', 'it dispatched nothing on WebGPU: it ran elsewhere');
    const { single, counts } = await this.#warmUp(job);
    if (onDevice && counts.dispatches === 0) refuse('fell back', 'a warm run dispatches nothing on WebGPU');
    this.#burst = await within(deadline, 'some runs', () => burstOf(job, single, burst));
    if (onDevice && this.#burst > 1) {
      // A library that skips results that nobody reads would take no longer for many runs than for one.
      const many = await this.#count(job, SOME_RUNS);
      if (many.counts.dispatches < SOME_RUNS * counts.dispatches)
        refuse(
          'wrong',
          `it leaves undone what nobody reads: ${counts.dispatches} dispatches for one run, ${many.counts.dispatches} for ${SOME_RUNS}`,
        );
    }
    this.#row = { ...this.#row, error, ...(onDevice ? { counts, gpuBytes: prepared.aliveBytes } : {}) };
  }

  get goesOn(): boolean {
    const { maxSamples, budget } = this.#settings;
    const { length } = this.#samples.latency;
    const enough = length >= maxSamples || (length >= 2 && this.#spent >= budget);
    return this.#row.status === 'ok' && !enough;
  }

  /** One run by itself, then many back to back. */
  async sample(): Promise<void> {
    const { heap } = this.#environment;
    heap?.collect();
    await pause(PAUSE);
    await within(this.#settings.deadline, 'a sample', async () => {
      const { job } = this.#entered();
      // An untimed run before short ones: the garbage collection and the pause leave the caches of data and code cold, and TF.js
      // changes its backend.
      if (this.#burst > 1) await runAndRead(job, 1);
      const start = performance.now();
      const steps: number[] = [];
      if (this.#task.kind === 'stream')
        while (steps.length < STREAM_STEPS) {
          await pause(STREAM_PAUSE);
          steps.push(await timeOf(() => runAndRead(job, 1)));
        }
      const again = performance.now();
      await job.run();
      const called = performance.now();
      await job.read();
      const single = performance.now() - again;
      this.#samples.latency.push(steps.length > 0 ? medianOf(steps) : single);
      if (this.#burst === 1) {
        this.#samples.throughput.push(single);
        this.#samples.script.push(called - again);
      } else await this.#sampleBurst(job, single);
      this.#spent += performance.now() - start;
    });
  }

  async #sampleBurst(job: Job, single: number): Promise<void> {
    const { heap } = this.#environment;
    const before = heap?.used() ?? 0;
    const begin = performance.now();
    for (let run = 0; run < this.#burst; run++) await job.run();
    const queued = performance.now();
    // Read before the wait: in Node, Dawn polls for results meanwhile and leaves tens of kilobytes a millisecond.
    if (heap !== undefined) this.#samples.heap.push((heap.used() - before) / this.#burst);
    await job.read();
    this.#samples.throughput.push((performance.now() - begin - single) / (this.#burst - 1));
    this.#samples.script.push((queued - begin) / this.#burst);
  }

  /** The answer after the timing must be as right as the first ones. */
  async checkLast(): Promise<void> {
    const { job, reference } = this.#entered();
    const answer = await within(this.#settings.deadline, 'reading', () => job.read());
    this.#check(lateErrorOf(job.arrange?.(answer) ?? answer, reference), 'after it was timed it ');
  }

  dispose(): void {
    const job = this.#job;
    this.#job = undefined;
    try {
      job?.dispose();
    } catch (error) {
      const problem = `could not be disposed of: ${error instanceof Error ? error.message : String(error)}`;
      const { note } = this.#row;
      this.#row = { ...this.#row, note: note === undefined ? problem : `${note}; ${problem}` };
    }
  }

  get row(): Row {
    if (this.#row.status !== 'ok') return this.#row;
    const { latency, throughput, script, heap } = this.#samples;
    // A collection in the middle of a burst makes the growth of the heap negative.
    const grown = heap.filter((bytes) => bytes >= 0);
    const [a, b, c] = [latency, throughput, script].map(summarize);
    const timing = { first: this.#first, latency: a, throughput: b, script: c };
    return { ...this.#row, timing, ...(grown.length > 0 ? { heapBytes: medianOf(grown) } : {}) };
  }

  #entered(): { readonly job: Job; readonly reference: Reference } {
    const [job, reference] = [this.#job, this.#reference];
    if (job === undefined || reference === undefined) throw new Error('a contestant was timed unprepared');
    return { job, reference };
  }

  #check(error: number, when: string): void {
    // The comparison is false for NaN, which is wrong.
    if (error <= TOLERANCE) return;
    const note = `${when}differs from the reference by ${error.toPrecision(2)} of its largest number; at most ${TOLERANCE} is right`;
    throw new Refused('wrong', note, error);
  }

  /** The time of some runs and what they call, deferred calls included. */
  async #count(job: Job, runs: number): Promise<{ readonly time: number; readonly counts: Counts }> {
    const { result: time, counts } = await this.#environment.counter.during(async () => {
      const action = (): Promise<void> => runAndRead(job, runs);
      const what = runs === 1 ? 'a run' : 'some runs';
      const time = await timeOf(() => within(this.#settings.deadline, what, action));
      await pause(DEFERRED);
      return time;
    });
    return { time, counts };
  }

  /** Runs until it is warm: the median time of a run, and the calls of the last one. */
  async #warmUp(job: Job): Promise<{ readonly single: number; readonly counts: Counts }> {
    const times: number[] = [];
    const begin = performance.now();
    for (;;) {
      const { time, counts } = await this.#count(job, 1);
      times.push(time);
      if (times.length === WARM_UP_RUNS || performance.now() - begin > WARM_UP_TIME)
        return { single: medianOf(times), counts };
    }
  }
}

/**
 * How many runs back to back take about `time`. Short runs are paced first: most of a single run's time may be the wait for
 * its result.
 */
async function burstOf(job: Job, single: number, time: number): Promise<number> {
  if (single > LONG_RUN) return 1;
  const runsAt = (pace: number): number =>
    Math.max(MIN_BURST, Math.min(MAX_BURST, Math.round(time / Math.max(pace, time / MAX_BURST))));
  const first = runsAt(single);
  if (first === MIN_BURST) return first;
  return runsAt(((await timeOf(() => runAndRead(job, first))) - single) / (first - 1));
}

/** @param stuck Contestants that exceeded a deadline, and their workload: it skips these, and adds others that do so. */
export async function measureWorkload(
  contestants: readonly Contestant[],
  task: Task,
  settings: Settings,
  environment: Environment,
  report: Report,
  stuck = new Map<Contestant, string>(),
): Promise<Row[]> {
  const entrants = contestants.map((one) => new Entrant(one, task, settings, environment));
  const order = settings.reversed ? entrants.toReversed() : entrants;
  const references = new Map<string, Promise<Reference>>();
  const attempt = async (entrant: Entrant, action: () => Promise<void>): Promise<void> => {
    if (!(await entrant.attempt(action))) stuck.set(entrant.contestant, task.name);
  };
  try {
    for (const [i, entrant] of order.entries()) {
      const { contestant } = entrant;
      report(`${task.name}: preparing ${contestant.name}`, i / order.length / 2);
      const variant = `${contestant.resetBefore} ${contestant.oneBias}`;
      const reference = references.get(variant) ?? makeReference(task, contestant);
      references.set(variant, reference);
      await attempt(entrant, async () => {
        const from = stuck.get(contestant);
        if (from !== undefined) throw new Error(`left out, as it did not come back from ${from}`);
        await entrant.enter(await reference);
      });
    }
    for (let round = 0; order.some(({ goesOn }) => goesOn); round++)
      for (const entrant of order.filter(({ goesOn }) => goesOn)) {
        const done = Math.min(1, round / settings.maxSamples);
        report(`${task.name}: timing ${entrant.contestant.name}`, 0.5 + done / 2);
        await attempt(entrant, () => entrant.sample());
      }
    for (const entrant of order) await attempt(entrant, () => entrant.checkLast());
  } finally {
    for (const entrant of entrants) entrant.dispose();
  }
  return entrants.map(({ row }) => row);
}
