// A plan's dispatches in flat arrays, built once, so that recording a run allocates nothing: one call per dispatch sets the bind
// group and one launches it.
import type { Dispatch } from './dispatch.ts';
import type { Pipeline } from './pipelines.ts';

/** A kernel launch, repeated for each row of its uniforms. */
export interface Launch {
  readonly dispatch: Dispatch;
  readonly pipeline: Pipeline;
  /** Byte offset of each row. */
  readonly rows: Uint32Array;
}

export class Recording {
  /** Launches of all steps, in order. */
  readonly launches: readonly Launch[];
  /** The step of each launch. */
  readonly stepOf: readonly number[];
  readonly #pipelines: readonly GPUComputePipeline[];
  readonly #workgroups: readonly Dispatch['workgroups'][];
  /** The launch of each dispatch. */
  readonly #order: readonly number[];
  /** Dynamic offset of each dispatch, as a list: Dawn for Node reads that faster than a slice of a typed array. */
  readonly #offsets: readonly (readonly [number])[];
  /** First dispatch of each step; the last element is the number of all dispatches. */
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

  /** Number of dispatches per step. */
  get dispatches(): number[] {
    return this.#starts.slice(1).map((end, step) => end - this.#starts[step]);
  }

  /** Records the steps that `runs` selects into a pass. @param groups A bind group per launch. */
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

/** Launches of a step that alternate, one row of uniforms each; most form a group of one. */
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
