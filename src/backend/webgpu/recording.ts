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
  readonly #pipelines: readonly Pipeline[];
  /** Whether all pipelines are known to be compiled. */
  #isCompiled = false;
  /** The grid of each launch. */
  readonly #workgroups: readonly Dispatch['workgroups'][];
  /** The launch of each dispatch call. */
  readonly #order: number[] = [];
  /** The dynamic offset of each dispatch call, as a list: Dawn for Node takes a list faster than a range of a Uint32Array. */
  readonly #offsets: (readonly [number])[] = [];
  /** The first dispatch call of each step, and at the end the number of calls. */
  readonly #starts: number[] = [0];

  constructor(steps: readonly (readonly Launch[])[]) {
    this.launches = steps.flat();
    this.stepOf = steps.flatMap((step, i) => step.map(() => i));
    this.#pipelines = this.launches.map(({ pipeline }) => pipeline);
    this.#workgroups = this.launches.map(({ dispatch }) => dispatch.workgroups);
    let first = 0;
    for (const step of steps) {
      for (const { launch, offset } of callsOf(step)) {
        this.#order.push(first + launch);
        this.#offsets.push([offset]);
      }
      first += step.length;
      this.#starts.push(this.#order.length);
    }
  }

  /** Settles when all pipelines are compiled; undefined if they are. */
  get compiling(): Promise<void> | undefined {
    if (this.#isCompiled) return undefined;
    const compiling = this.#pipelines.filter(({ isCompiled }) => !isCompiled);
    this.#isCompiled = compiling.length === 0;
    if (this.#isCompiled) return undefined;
    return Promise.all(compiling.map((pipeline) => pipeline.compiling)).then(() => undefined);
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
    let current: Pipeline | undefined;
    for (let step = 0; step + 1 < this.#starts.length; step++) {
      if (!runs(step)) continue;
      const end = this.#starts[step + 1];
      for (let i = this.#starts[step]; i < end; i++) {
        const launch = this.#order[i];
        const pipeline = this.#pipelines[launch];
        if (pipeline !== current) pass.setPipeline(pipeline.compiled);
        current = pipeline;
        pass.setBindGroup(0, groups[launch], this.#offsets[i]);
        const workgroups = this.#workgroups[launch];
        pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
      }
    }
  }
}

/** The dispatch calls of a step: launch by launch, but adjacent launches with one `loop` are interleaved row by row. */
function callsOf(step: readonly Launch[]): { readonly launch: number; readonly offset: number }[] {
  let loops = 0;
  const calls = step.flatMap(({ dispatch: { loop }, rows }, launch) => {
    if (loop === undefined || loop !== step[launch - 1]?.dispatch.loop) loops++;
    const turn = loops;
    return Array.from(rows, (offset, row) => ({ launch, offset, turn, row }));
  });
  return calls.sort((a, b) => a.turn - b.turn || a.row - b.row || a.launch - b.launch);
}
