// Whether a contestant's answers are right: asked before anything is timed, and of the last answer after it.
import type { Job } from './contestants/contestant.ts';
import type { Task } from './data.ts';

/**
 * Of the largest number expected. Float32 stays far below in any order of summation; float16 does not, nor does a
 * training step whose gradients are not all there.
 */
export const TOLERANCE = 2e-5;

/** How often a job is run and read for its answers: more than once, as what is timed are later runs. */
export const CHECKED_RUNS = { sequence: 2, stream: 8, training: 4, matmul: 2 } as const;

/** Numbers of an answer that are known. */
export interface Part {
  /** Where in the answer they begin. */
  readonly at: number;
  readonly values: Float64Array;
}

/** Some of the numbers that a job should give. */
export interface Reference {
  /** Of each run, from the first on; of one where every run gives the same. */
  readonly runs: readonly (readonly Part[])[];
  readonly repeats: boolean;
  /** Numbers in the answer of a run. */
  readonly size: number;
  /** How far all of an answer may be off, beside the numbers that are known. */
  offOf?(answer: Float32Array): number;
}

/** The result of the latest run, in the order of the workload's definition. */
export async function readOf(job: Job): Promise<Float32Array> {
  const values = await job.read();
  return job.arrange?.(values) ?? values;
}

/** What a job answers from its first run on, each run read before the next. */
export async function answersOf(
  job: Job,
  { kind }: Task,
): Promise<{
  readonly answers: readonly Float32Array[];
  /** When the first result had come. */ readonly firstAt: number;
}> {
  const parts: Float32Array[] = [];
  let firstAt = 0;
  for (let run = 0; run < CHECKED_RUNS[kind]; run++) {
    await job.run();
    const values = await job.read();
    if (run === 0) firstAt = performance.now();
    parts.push(job.arrange?.(values) ?? values);
  }
  return { answers: parts, firstAt };
}

/** The largest difference, as a part of the largest number expected; NaN where an answer has NaN. */
export function errorOf(answers: readonly Float32Array[], reference: Reference): number {
  const { runs, repeats, size } = reference;
  let largest = 0;
  let difference = 0;
  // NaN stays: nothing is greater than it.
  const see = (off: number): void => {
    if (Number.isNaN(off) || off > difference) difference = off;
  };
  answers.forEach((answer, run) => {
    if (answer.length !== size) throw new Error(`expected ${size} numbers, got ${answer.length}`);
    for (const { at, values } of runs[repeats ? 0 : run])
      values.forEach((value, k) => {
        largest = Math.max(largest, Math.abs(value));
        see(Math.abs(answer[at + k] - value));
      });
    if (reference.offOf !== undefined) see(reference.offOf(answer));
  });
  return difference / largest;
}

/** As `errorOf`, of an answer after any number of runs: where runs differ only whether it has numbers, 0 or NaN. */
export function lateErrorOf(answer: Float32Array, reference: Reference): number {
  if (reference.repeats) return errorOf([answer], reference);
  return answer.length === reference.size && answer.every(Number.isFinite) ? 0 : Number.NaN;
}
