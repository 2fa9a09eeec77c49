// Times contestants on one workload, taking turns, so that what disturbs the machine disturbs all alike.
import { answersOf, errorOf, lateErrorOf, readOf, TOLERANCE, type Reference } from './check.ts';
import { Unsupported, type Contestant, type Job, type Variant } from './contestants/contestant.ts';
import type { ApiCounter, Counts } from './counters.ts';
import type { Task } from './data.ts';
import { makeReference } from './reference.ts';
import type { Row, Settings, Status } from './results.ts';
import { medianOf, summarize } from './statistics.ts';

/** A run of this many milliseconds is its own slope: the round trip is nothing beside it. */
const LONG_RUN = 1000;
/** To see that runs back to back are all done. */
const SOME_RUNS = 3;
const WARM_UP_RUNS = 10;
const WARM_UP_TIME = 1000;
const MIN_BURST = 4;
const MAX_BURST = 256;
/** Threads that spin after their work are given time to stop. */
const PAUSE = 20;
/** Between steps of a stream, whose inputs come one at a time: half of what audio in frames of 10 ms leaves. */
const STREAM_PAUSE = 5;
/** Of such steps, whose median is a sample. */
const STREAM_STEPS = 8;

/** What differs between a page and Node. */
export interface Environment {
  readonly counter: ApiCounter;
  /** Runs the garbage collector, and the bytes in use; absent where a page may not. */
  readonly heap?: { collect(): void; used(): number };
}

export interface Progress {
  readonly workload: string;
  readonly contestant: string;
  readonly doing: 'preparing' | 'timing';
  /** Of the contestants of this workload, 0 to 1. */
  readonly done: number;
}

/** A contestant that answers rightly, and what was measured of it. */
interface Entrant {
  readonly row: Row;
  readonly job: Job;
  readonly reference: Reference;
  /** Runs in a burst; 1: a run is long enough by itself. */
  readonly burst: number;
  readonly isStream: boolean;
  readonly first: number;
  readonly latency: number[];
  readonly throughput: number[];
  readonly script: number[];
  readonly heap: number[];
  spent: number;
  /** Why its timing broke off, or does not count. */
  failure: Pick<Row, 'status' | 'note' | 'error'> | undefined;
  overdue: boolean;
  /** What to know of its end. */
  remark: string | undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
/** Something took longer than it may. */
class Overdue extends Error {}

/** @throws Overdue where an action has not ended by then. What it does goes on: nobody can stop it. */
async function within<T>(deadline: number, what: string, action: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new Overdue(`${what} took more than ${deadline / 1000} s`));
    timer = setTimeout(fail, deadline);
  });
  try {
    return await Promise.race([action(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** @returns why it could not be. */
function disposeOf(job: Job | undefined): string | undefined {
  try {
    job?.dispose();
  } catch (error) {
    return `could not be disposed of: ${messageOf(error)}`;
  }
}

const withNote = (row: Row, more: string | undefined): Row =>
  more === undefined ? row : { ...row, note: row.note === undefined ? more : `${row.note}; ${more}` };

const pause = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));

/** @param stuck who did not come back, and from which workload: they are left out, and more are added. */
export async function measureWorkload(
  contestants: readonly Contestant[],
  task: Task,
  settings: Settings,
  environment: Environment,
  report: (progress: Progress) => void,
  stuck = new Map<Contestant, string>(),
): Promise<Row[]> {
  const order = settings.reversed ? contestants.toReversed() : contestants;
  const workload = task.workload.name;
  const references = new Map<string, Promise<Reference>>();
  const rows = new Map<Contestant, Row>();
  const entrants = new Map<Contestant, Entrant>();
  const onOverdue = (contestant: Contestant): void => void stuck.set(contestant, workload);
  try {
    for (const [i, contestant] of order.entries()) {
      report({ workload, contestant: contestant.name, doing: 'preparing', done: i / order.length / 2 });
      const from = stuck.get(contestant);
      if (from !== undefined) {
        const note = `left out, as it did not come back from ${from}`;
        rows.set(contestant, { ...baseOf(contestant, task), status: 'failed', note });
        continue;
      }
      const variant = variantOf(task, contestant);
      const reference = references.get(variant) ?? makeReference(task, contestant);
      references.set(variant, reference);
      const entered = await enter(contestant, task, await reference, settings, environment, onOverdue);
      if ('job' in entered) entrants.set(contestant, entered);
      else rows.set(contestant, entered);
    }
    await takeTurns([...entrants.values()], settings, environment, (entrant, done) =>
      report({ workload, contestant: entrant.row.contestant, doing: 'timing', done: 0.5 + done / 2 }),
    );
    for (const entrant of entrants.values()) await checkLast(entrant, settings.deadline);
    for (const [contestant, { overdue }] of entrants) if (overdue) onOverdue(contestant);
  } finally {
    for (const entrant of entrants.values()) entrant.remark = disposeOf(entrant.job);
  }
  // As they were given, whatever the order in which they ran.
  return contestants.map((contestant) => rows.get(contestant) ?? rowOf(entrants.get(contestant)));
}

/** Whose answers are held to the same numbers. */
function variantOf({ kind, workload }: Task, { gru, biases }: Variant): string {
  if (kind === 'training') return `${biases}`;
  return 'cell' in workload && workload.cell === 'gru' ? gru : '';
}

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

/** Prepares a job, checks its answer, warms it up, counts a run: all but the timing. */
async function enter(
  contestant: Contestant,
  task: Task,
  reference: Reference,
  settings: Settings,
  { counter }: Environment,
  onOverdue: (contestant: Contestant) => void,
): Promise<Entrant | Row> {
  const base = baseOf(contestant, task);
  const onDevice = contestant.backend === 'webgpu';
  let job: Job | undefined;
  try {
    const { deadline } = settings;
    const prepare = async () => {
      const start = performance.now();
      const made = (job = await contestant.prepare(task));
      const { answers, firstAt } = await answersOf(made, task);
      return { made, first: firstAt - start, error: errorOf(answers, reference) };
    };
    const prepared = await counter.during(() =>
      within(deadline, 'preparing with the first answers', prepare),
    );
    const { made, first, error } = prepared.result;
    // Written so that NaN is wrong.
    if (!(error <= TOLERANCE)) throw new Refused('wrong', wrongNote(error), error);
    if (onDevice && prepared.counts.dispatches === 0)
      throw new Refused('fell back', 'it dispatched nothing on WebGPU: it ran elsewhere', error);
    const { single, counts } = await warmUp(made, counter, deadline);
    if (onDevice && counts.dispatches === 0)
      throw new Refused('fell back', 'a warm run dispatches nothing on WebGPU', error);
    const burst = await within(deadline, 'some runs', () => burstOf(made, single, settings.burst));
    if (onDevice && burst > 1) {
      // Or many runs would take no longer than the last.
      const many = await countRuns(made, SOME_RUNS, counter, deadline);
      if (many.counts.dispatches < SOME_RUNS * counts.dispatches) {
        const note = `it leaves undone what nobody reads: ${counts.dispatches} dispatches for one run, ${many.counts.dispatches} for ${SOME_RUNS}`;
        throw new Refused('wrong', note, error);
      }
    }
    return {
      row: { ...base, status: 'ok', error, ...(onDevice ? { counts, gpuBytes: prepared.aliveBytes } : {}) },
      job: made,
      reference,
      burst,
      isStream: task.kind === 'stream',
      first,
      latency: [],
      throughput: [],
      script: [],
      heap: [],
      spent: 0,
      failure: undefined,
      overdue: false,
      remark: undefined,
    };
  } catch (cause) {
    const note = messageOf(cause);
    disposeOf(job);
    if (cause instanceof Overdue) onOverdue(contestant);
    if (!(cause instanceof Refused))
      return { ...base, status: cause instanceof Unsupported ? 'unsupported' : 'failed', note };
    const { status, error } = cause;
    return { ...base, status, note, ...(Number.isFinite(error) ? { error } : {}) };
  }
}

const wrongNote = (error: number): string =>
  `differs from the reference by ${error.toPrecision(2)} of its largest number; at most ${TOLERANCE} is right`;

/** What a job answers when it has been timed must be as right as its first answers. */
async function checkLast(entrant: Entrant, deadline: number): Promise<void> {
  if (entrant.failure !== undefined) return;
  try {
    entrant.job.resume?.();
    const error = lateErrorOf(
      await within(deadline, 'reading', () => readOf(entrant.job)),
      entrant.reference,
    );
    if (error <= TOLERANCE) return;
    const note = `after it was timed it ${wrongNote(error)}`;
    entrant.failure = { status: 'wrong', note, ...(Number.isFinite(error) ? { error } : {}) };
  } catch (cause) {
    entrant.overdue = cause instanceof Overdue;
    entrant.failure = { status: 'failed', note: messageOf(cause) };
  }
}

function baseOf({ name, library, backend, gru }: Contestant, { workload }: Task): Omit<Row, 'status'> {
  const own = 'cell' in workload && workload.cell === 'gru' && gru === 'reset before';
  return {
    workload: workload.name,
    contestant: name,
    library,
    backend,
    ...(own ? { note: 'its GRU has the reset before the product' } : {}),
  };
}

async function runAndRead(job: Job, runs: number): Promise<void> {
  for (let run = 0; run < runs; run++) await job.run();
  await job.read();
}

/** Milliseconds after which a library has done what it leaves to a later turn of the event loop. */
const SETTLED = 2;

/** The time of runs and what they call: what they leave to a later turn is of them, and not of those that follow. */
async function countRuns(
  job: Job,
  runs: number,
  counter: ApiCounter,
  deadline: number,
): Promise<{ readonly time: number; readonly counts: Counts }> {
  const { result: time, counts } = await counter.during(async () => {
    const start = performance.now();
    await within(deadline, runs === 1 ? 'a run' : 'some runs', () => runAndRead(job, runs));
    const end = performance.now();
    await pause(SETTLED);
    return end - start;
  });
  return { time, counts };
}

/** Runs until it is warm: the median time of a run in milliseconds, and what the last of them called. */
async function warmUp(
  job: Job,
  counter: ApiCounter,
  deadline: number,
): Promise<{ single: number; counts: Counts }> {
  const times: number[] = [];
  const begin = performance.now();
  for (;;) {
    const { time, counts } = await countRuns(job, 1, counter, deadline);
    times.push(time);
    if (times.length === WARM_UP_RUNS || performance.now() - begin > WARM_UP_TIME)
      return { single: summarize(times).median, counts };
  }
}

/**
 * How many runs back to back take about so long. Short ones are paced first: most of a single run's time may be the wait
 * for its result, of which a few runs more tell nothing.
 */
async function burstOf(job: Job, single: number, time: number): Promise<number> {
  if (single > LONG_RUN) return 1;
  const within = (pace: number): number =>
    Math.max(MIN_BURST, Math.min(MAX_BURST, Math.round(time / Math.max(pace, time / MAX_BURST))));
  const first = within(single);
  if (first === MIN_BURST) return first;
  const begin = performance.now();
  await runAndRead(job, first);
  return within((performance.now() - begin - single) / (first - 1));
}

async function takeTurns(
  entrants: readonly Entrant[],
  settings: Settings,
  { heap }: Environment,
  report: (entrant: Entrant, done: number) => void,
): Promise<void> {
  const goesOn = ({ latency, spent, failure }: Entrant): boolean =>
    failure === undefined &&
    (latency.length < settings.minSamples ||
      (latency.length < settings.maxSamples && spent < settings.budget));
  for (let round = 0; entrants.some(goesOn); round++) {
    for (const entrant of entrants.filter(goesOn)) {
      report(entrant, Math.min(1, round / settings.maxSamples));
      heap?.collect();
      await pause(PAUSE);
      try {
        await within(settings.deadline, 'a sample', () => sample(entrant, heap));
      } catch (error) {
        entrant.overdue = error instanceof Overdue;
        entrant.failure = { status: 'failed', note: messageOf(error) };
      }
    }
  }
}

/** One run by itself, then many back to back. */
async function sample(entrant: Entrant, heap: Environment['heap']): Promise<void> {
  const { job, burst, isStream } = entrant;
  job.resume?.();
  // Unseen: a collection and a pause leave caches cold, of code too, which a short run is not to pay for.
  if (burst > 1) await runAndRead(job, 1);
  const start = performance.now();
  const steps: number[] = [];
  if (isStream) for (let step = 0; step < STREAM_STEPS; step++) steps.push(await pacedStep(job));
  const again = performance.now();
  await job.run();
  const called = performance.now();
  await job.read();
  const single = performance.now() - again;
  entrant.latency.push(isStream ? medianOf(steps) : single);
  if (burst === 1) {
    entrant.throughput.push(single);
    entrant.script.push(called - again);
  } else {
    const before = heap?.used() ?? 0;
    const begin = performance.now();
    for (let run = 0; run < burst; run++) await job.run();
    const queued = performance.now();
    // Before the wait: in Node, Dawn polls for results meanwhile, and leaves tens of kilobytes a millisecond by that.
    if (heap !== undefined) entrant.heap.push((heap.used() - before) / burst);
    await job.read();
    const end = performance.now();
    entrant.throughput.push((end - begin - single) / (burst - 1));
    entrant.script.push((queued - begin) / burst);
  }
  entrant.spent += performance.now() - start;
}

/** As a stream's steps come: some time after the one before. */
async function pacedStep(job: Job): Promise<number> {
  await pause(STREAM_PAUSE);
  const start = performance.now();
  await runAndRead(job, 1);
  return performance.now() - start;
}

function rowOf(entrant: Entrant | undefined): Row {
  if (entrant === undefined) throw new Error('a contestant has neither a row nor an entry');
  const { first, latency, throughput, script, heap, failure, remark } = entrant;
  if (failure !== undefined) return { ...entrant.row, ...failure };
  const row = withNote(entrant.row, remark);
  const timing = {
    first,
    latency: summarize(latency),
    throughput: summarize(throughput),
    script: summarize(script),
  };
  // A collection in the middle of a burst makes its growth negative: it says nothing.
  const grown = heap.filter((bytes) => bytes >= 0);
  return { ...row, timing, ...(grown.length > 0 ? { heapBytes: summarize(grown).median } : {}) };
}
