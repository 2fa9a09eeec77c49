// What a plan launches, in plain arrays that are made once, so that recording a run is a walk over them: per dispatch a
// call that binds and one that launches, and nothing that is made anew.
import type { Dispatch } from './dispatch.ts';
import type { Pipeline } from './pipelines.ts';

/** A kernel's launch, once for each row of its uniforms. */
export interface Launch {
  readonly dispatch: Dispatch;
  readonly pipeline: Pipeline;
  /** Byte offsets of the rows. */
  readonly rows: Uint32Array;
}

export class Recording {
  /** Of all steps, in order. */
  readonly launches: readonly Launch[];
  /** Of each launch, whose it is. */
  readonly stepOf: readonly number[];
  readonly #pipelines: readonly GPUComputePipeline[];
  readonly #workgroups: readonly Dispatch['workgroups'][];
  /** Of each dispatch, which launch it is. */
  readonly #order: readonly number[];
  /** Of each dispatch, its dynamic offset. As a list: Dawn for Node takes that in less time than a part of an array. */
  readonly #offsets: readonly (readonly [number])[];
  /** Of each step, its first dispatch; in the end the number of all. */
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
      for (const { from, to, rows } of turnsOf(step)) {
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

  /** How often each step launches a kernel. */
  get dispatches(): number[] {
    return this.#starts.slice(1).map((end, step) => end - this.#starts[step]);
  }

  /** Records the steps that `runs` wants into a pass. @param groups a bind group for each launch. */
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

/** Launches of a step that take turns, one row of uniforms each; most are alone. */
function turnsOf(launches: readonly Launch[]): { from: number; to: number; rows: number }[] {
  const turns: { from: number; to: number; rows: number }[] = [];
  launches.forEach(({ dispatch: { loop }, rows: { length } }, i) => {
    const turn = turns.at(-1);
    if (turn !== undefined && loop !== undefined && launches[turn.from].dispatch.loop === loop) {
      turn.to = i + 1;
      turn.rows = Math.max(turn.rows, length);
    } else turns.push({ from: i, to: i + 1, rows: length });
  });
  return turns;
}
