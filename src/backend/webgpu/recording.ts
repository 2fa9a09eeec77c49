// The launches of a plan flattened into plain arrays, so that recording a run allocates nothing: per kernel launch it makes one
// call that sets the bind group and one that dispatches.
import type { Dispatch } from './dispatch.ts';
import type { Pipeline } from './pipelines.ts';

/** A dispatch with its pipeline: one kernel launch for each row of its uniforms. */
export interface Launch {
  readonly dispatch: Dispatch;
  readonly pipeline: Pipeline;
  /** The byte offsets of the rows in the buffer of uniforms. */
  readonly rows: Uint32Array;
}

export class Recording {
  /** The launches of all steps, in order. */
  readonly launches: readonly Launch[];
  /** The step of each launch. */
  readonly stepOf: readonly number[];
  /** The pipeline of each launch. */
  readonly #pipelines: readonly GPUComputePipeline[];
  /** The grid of each launch. */
  readonly #workgroups: readonly Dispatch['workgroups'][];
  /** The launch of each dispatch call. */
  readonly #order: readonly number[];
  /** The dynamic offset of each dispatch call, as a list: Dawn for Node takes a list faster than a range of a Uint32Array. */
  readonly #offsets: readonly (readonly [number])[];
  /** The first dispatch call of each step, and at the end the number of calls. */
  readonly #starts: readonly number[];

  constructor(steps: readonly (readonly Launch[])[]) {
    this.launches = steps.flat();
    this.stepOf = steps.flatMap((step, i) => step.map(() => i));
    this.#pipelines = this.launches.map(({ pipeline }) => pipeline.pipeline);
    this.#workgroups = this.launches.map(({ dispatch }) => dispatch.workgroups);
    const order: number[] = [];
    const offsets: [number][] = [];
    const starts = [0];
    let first = 0;
    for (const step of steps) {
      for (const { from, to, rows } of loopsOf(step)) {
        for (let row = 0; row < rows; row++) {
          for (let i = from; i < to; i++) {
            if (row >= step[i].rows.length) continue;
            order.push(first + i);
            offsets.push([step[i].rows[row]]);
          }
        }
      }
      first += step.length;
      starts.push(order.length);
    }
    this.#order = order;
    this.#offsets = offsets;
    this.#starts = starts;
  }

  /** The number of kernel launches of each step. */
  get dispatches(): number[] {
    return this.#starts.slice(1).map((end, step) => end - this.#starts[step]);
  }

  /** Records steps into a pass. @param groups A bind group for each launch. @param runs Whether to record a step. */
  record(
    pass: GPUComputePassEncoder,
    groups: readonly GPUBindGroup[],
    runs: (step: number) => boolean,
  ): void {
    let current: GPUComputePipeline | undefined;
    for (let step = 0; step + 1 < this.#starts.length; step++) {
      if (!runs(step)) continue;
      const end = this.#starts[step + 1];
      for (let i = this.#starts[step]; i < end; i++) {
        const launch = this.#order[i];
        const pipeline = this.#pipelines[launch];
        if (pipeline !== current) pass.setPipeline(pipeline);
        current = pipeline;
        pass.setBindGroup(0, groups[launch], this.#offsets[i]);
        const workgroups = this.#workgroups[launch];
        pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
      }
    }
  }
}

/** The launches of a step as ranges that are interleaved row by row: those with one `loop`, others alone. */
function loopsOf(launches: readonly Launch[]): { from: number; to: number; rows: number }[] {
  const loops: { from: number; to: number; rows: number }[] = [];
  launches.forEach(({ dispatch, rows: { length } }, i) => {
    const last = loops.at(-1);
    if (
      last !== undefined &&
      dispatch.loop !== undefined &&
      launches[last.from].dispatch.loop === dispatch.loop
    ) {
      last.to = i + 1;
      last.rows = Math.max(last.rows, length);
    } else loops.push({ from: i, to: i + 1, rows: length });
  });
  return loops;
}
