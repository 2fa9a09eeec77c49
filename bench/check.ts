// Checks a contestant's answers before it is timed, and its last answer afterwards.
//
// The reference is gatewise's CPU backend in float64, which the tests hold to PyTorch; for a product and an
// embedding it is the definition.
import { gatewiseJob } from './contestants/gatewise.ts';
import type { Job, Variant } from './contestants/contestant.ts';
import { library } from './contestants/own_library.ts';
import { weightOf, type EmbeddingTask, type MatmulTask, type TrainingTask, type Task } from './data.ts';

/**
 * Relative to the largest number expected. Float32 stays far below it in any order of summation; float16 does not, nor
 * does a training step with an incomplete gradient.
 */
export const TOLERANCE = 2e-5;

/** How many runs are checked: more than one, since the later runs are those that are timed. */
export const CHECKED_RUNS = { sequence: 2, stream: 8, training: 4, matmul: 2, embedding: 2 } as const;

/** Rows of a batch whose outputs are compared. */
const CHECKED_ROWS = 3;
const PROBE_SEED = 99;

export interface Reference {
  /** Numbers in the answer of a run. */
  readonly size: number;
  /** The numbers that an answer is compared by. */
  pick(answer: Float32Array): ArrayLike<number>;
  /** These numbers for each run, or for one run if all give the same. */
  readonly expected: readonly ArrayLike<number>[];
  /** Whether every run gives the same. */
  readonly repeats: boolean;
}

/** The answers of a job's first runs, each read before the next run; and the time at which the first was there. */
export async function answersOf(
  job: Job,
  runs: number,
): Promise<{ readonly answers: readonly Float32Array[]; readonly firstAt: number }> {
  const answers: Float32Array[] = [];
  let firstAt = 0;
  for (let run = 0; run < runs; run++) {
    await job.run();
    const values = await job.read();
    if (run === 0) firstAt = performance.now();
    answers.push(job.arrange?.(values) ?? values);
  }
  return { answers, firstAt };
}

/** The largest difference, relative to the largest number expected; NaN where an answer has NaN. */
export function errorOf(
  answers: readonly Float32Array[],
  { size, pick, expected, repeats }: Reference,
): number {
  let [largest, difference] = [0, 0];
  answers.forEach((answer, run) => {
    if (answer.length !== size) throw new Error(`expected ${size} numbers, got ${answer.length}`);
    const numbers = pick(answer);
    const right = expected[repeats ? 0 : run];
    for (let k = 0; k < right.length; k++) {
      largest = Math.max(largest, Math.abs(right[k]));
      // Math.max keeps NaN.
      difference = Math.max(difference, Math.abs(numbers[k] - right[k]));
    }
  });
  return difference / largest;
}

/** As `errorOf`, for an answer after any number of runs. If each run has another answer: 0 if it is finite, else NaN. */
export function lateErrorOf(answer: Float32Array, reference: Reference): number {
  if (reference.repeats) return errorOf([answer], reference);
  return answer.length === reference.size && answer.every(Number.isFinite) ? 0 : Number.NaN;
}

/** Rows spread over a batch, the last among them. */
const someRows = (batch: number): number[] => {
  const count = Math.min(batch, CHECKED_ROWS);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 1) * batch) / count) - 1);
};

/** Some rows of all steps: (T, B, width) to (T, rows, width). */
function rowsOf(values: Float32Array, batch: number, width: number, rows: readonly number[]): Float32Array {
  const steps = values.length / (batch * width);
  return Float32Array.from({ length: steps * rows.length * width }, (_, i) => {
    const [at, k] = [Math.floor(i / width), i % width];
    const [t, row] = [Math.floor(at / rows.length), rows[at % rows.length]];
    return values[(t * batch + row) * width + k];
  });
}

/** A matrix (rows, width) with one more column. */
const withColumn = (
  values: ArrayLike<number>,
  width: number,
  column: (row: number) => number,
): Float32Array =>
  Float32Array.from({ length: (values.length / width) * (width + 1) }, (_, i) => {
    const [row, k] = [Math.floor(i / (width + 1)), i % (width + 1)];
    return k === width ? column(row) : values[row * width + k];
  });

/** The same training with one trained bias per gate: the weight of an input that is always 1. */
function withOneBias(task: TrainingTask): TrainingTask {
  const weight = weightOf(task.weights, 'weight_ih_l0');
  const [input, recurrent] = ['ih', 'hh'].map((part) => weightOf(task.weights, `bias_${part}_l0`).data);
  const data = withColumn(weight.data, task.classes, (row) => input[row] + recurrent[row]);
  const weights = new Map([
    ['weight_ih_l0', { ...weight, shape: [4 * task.hiddenSize, task.classes + 1], data }],
    ['weight_hh_l0', weightOf(task.weights, 'weight_hh_l0')],
  ]);
  return { ...task, weights, input: withColumn(task.input, task.classes, () => 1) };
}

export async function makeReference(task: Task, variant: Variant): Promise<Reference> {
  if (task.kind === 'matmul') return productReference(task);
  if (task.kind === 'embedding') return embeddingReference(task);
  using runtime = await library.createRuntime({ backend: 'cpu', arithmetic: 'float64' });
  const whole = (answer: Float32Array): ArrayLike<number> => answer;
  const answersTo = async (asked: Task): Promise<readonly Float32Array[]> => {
    const job = await gatewiseJob(library, runtime, asked, variant);
    const { answers } = await answersOf(job, asked.kind === 'sequence' ? 1 : CHECKED_RUNS[asked.kind]);
    job.dispose();
    return answers;
  };
  switch (task.kind) {
    case 'sequence': {
      const { steps, batch, inputSize, hiddenSize, bidirectional } = task;
      const width = hiddenSize * (bidirectional ? 2 : 1);
      const rows = someRows(batch);
      const input = rowsOf(task.input, batch, inputSize, rows);
      const expected = await answersTo({ ...task, batch: rows.length, input });
      const pick = (answer: Float32Array): Float32Array => rowsOf(answer, batch, width, rows);
      return { size: steps * batch * width, pick, expected, repeats: true };
    }
    case 'stream':
      return { size: task.hiddenSize, pick: whole, expected: await answersTo(task), repeats: false };
    case 'training': {
      const expected = await answersTo(variant.oneBias === true ? withOneBias(task) : task);
      return { size: 1, pick: whole, expected, repeats: false };
    }
  }
}

/**
 * Every row of a product at once, by Freivalds' check: (A · B) · v beside A · (B · v) for random signs v. Rounding errors
 * add up like a random walk, so both are divided by √N.
 */
function productReference({ rows, inner, columns, a, b }: MatmulTask): Reference {
  const random = new library.Random(PROBE_SEED, 0);
  const signs = Float64Array.from({ length: columns }, () => (random.integer(2) === 0 ? -1 : 1));
  const times = (matrix: Float32Array, height: number, x: Float64Array): Float64Array =>
    Float64Array.from({ length: height }, (_, row) => {
      let sum = 0;
      for (let k = 0; k < x.length; k++) sum += matrix[row * x.length + k] * x[k];
      return sum;
    });
  const v = signs.map((sign) => sign / Math.sqrt(columns));
  const expected = [times(a, rows, times(b, inner, v))];
  return { size: rows * columns, pick: (answer) => times(answer, rows, v), expected, repeats: true };
}

/** Every number of the table's gradient, by definition. */
function embeddingReference({ rows, columns, tokens, gradient }: EmbeddingTask): Reference {
  const expected = new Float64Array(rows * columns);
  gradient.forEach((d, i) => (expected[tokens[Math.floor(i / columns)] * columns + (i % columns)] += d));
  return { size: rows * columns, pick: (answer) => answer, expected: [expected], repeats: true };
}
