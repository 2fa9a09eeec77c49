// Whether a contestant's answer is right: asked before anything is timed.
import type { Job } from './contestants/contestant.ts';
import type { Task } from './data.ts';

/** Of the largest element, at least 1. Float32 in another order of summation stays far below. */
export const TOLERANCE = 5e-4;

/** How often a job is run and read for its answer. */
export const CHECKED_RUNS = { sequence: 1, stream: 8, training: 2, matmul: 1 } as const;

/** Some of the numbers that a job should give. */
export interface Reference {
  readonly expected: readonly Float64Array[];
  /** Where in the answer each of `expected` begins. */
  readonly at: readonly number[];
  /** Numbers in the whole answer. */
  readonly size: number;
}

/** What a job answers, from its first run on: the results of so many runs, one behind the other. */
export async function answerOf(
  job: Job,
  { kind }: Task,
): Promise<{
  readonly values: Float32Array;
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
  const values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return { values, firstAt };
}

/** The largest difference, as a part of the largest number expected (at least 1); NaN where the answer has NaN. */
export function errorOf(answer: Float32Array, { expected, at, size }: Reference): number {
  if (answer.length !== size) throw new Error(`expected ${size} numbers, got ${answer.length}`);
  let largest = 1;
  let difference = 0;
  expected.forEach((values, i) =>
    values.forEach((value, k) => {
      const off = Math.abs(answer[at[i] + k] - value);
      largest = Math.max(largest, Math.abs(value));
      // NaN stays: nothing is greater than it.
      if (Number.isNaN(off) || off > difference) difference = off;
    }),
  );
  return difference / largest;
}
