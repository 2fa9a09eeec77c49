// A plan on a device: pipelines, temporaries and uniforms made once; a run is one encoder, one pass, one submit.
import { GatewiseError } from '../../core/errors.ts';
import { Recent } from '../../core/recent.ts';
import { sizeOf } from '../../core/shape.ts';
import type { Dispatch, NumberArray, Target } from '../../graph/launch.ts';
import { dispatchesOf, variantOf, type Choices, type Plan } from '../../plan/plan.ts';
import { createBindGroup, createUniforms } from './bindings.ts';
import { createStorage } from './buffers.ts';
import type { Pipeline, Pipelines } from './pipelines.ts';
import type { Staging } from './staging.ts';
import type { Clock, Repeat, Stopwatch } from './stopwatch.ts';

/** Bind groups that a launch keeps: one for each set of arguments and outputs that it met lately. */
const MAX_GROUPS = 64;

interface Launch {
  readonly dispatch: Dispatch;
  readonly pipeline: Pipeline;
  /** Byte offsets of the rows of uniforms. */
  readonly offsets: Uint32Array;
  /** Buffers of the plan that it binds and that change from run to run: arguments and outputs. */
  readonly outside: readonly number[];
  readonly groups: Recent<GPUBindGroup>;
}

/** Launches that take turns, one row of uniforms each; most are alone. */
interface Turn {
  readonly launches: readonly Launch[];
  readonly rows: number;
  /** The bind groups of a run, one for each launch. */
  readonly groups: GPUBindGroup[];
}

function turnsOf(launches: readonly Launch[]): Turn[] {
  const turns: Launch[][] = [];
  for (const launch of launches) {
    const { loop } = launch.dispatch;
    const turn = turns.at(-1);
    if (loop !== undefined && turn?.[0].dispatch.loop === loop) turn.push(launch);
    else turns.push([launch]);
  }
  return turns.map((turn) => ({
    launches: turn,
    rows: Math.max(...turn.map(({ offsets }) => offsets.length)),
    groups: [],
  }));
}

export class WebGPUExecutable {
  readonly plan: Plan;
  /** In which variant each step is run; undefined where it has but one. */
  readonly variants: readonly (string | undefined)[];
  readonly #device: GPUDevice;
  readonly #staging: Staging;
  readonly #uniforms: GPUBuffer;
  readonly #temporaries: readonly (GPUBuffer | undefined)[];
  /** Per step of the plan. */
  readonly #turns: readonly (readonly Turn[])[];
  readonly #ids = new WeakMap<GPUBuffer, number>();
  #nextId = 0;
  #disposed = false;

  /** @param choices of variants, for the kinds of steps of which something is known. */
  constructor(
    device: GPUDevice,
    pipelines: Pipelines,
    staging: Staging,
    plan: Plan,
    target: Target,
    choices: Choices = {},
  ) {
    this.plan = plan;
    this.#device = device;
    this.#staging = staging;
    // Before any memory is made: where a step has no kernel, nothing is left behind.
    this.variants = plan.steps.map((step) => variantOf(step, target, choices));
    const dispatches = plan.steps.map((step, i) => dispatchesOf(step, target, this.variants[i]));
    // Scratch memory that only another variant would use is never bound.
    const bound = new Set(
      dispatches.flat().flatMap(({ bindings }) => Object.values(bindings).map(({ buffer }) => buffer)),
    );
    this.#temporaries = plan.buffers.map(({ kind, size, label }, i) =>
      kind === 'temporary' && bound.has(i) ? createStorage(device, size, label) : undefined,
    );
    const { buffer, offsets } = createUniforms(device, dispatches.flat());
    this.#uniforms = buffer;
    this.#turns = dispatches.map((list) =>
      turnsOf(
        list.map((dispatch) => {
          const buffers = Object.values(dispatch.bindings).map((binding) => binding.buffer);
          return {
            dispatch,
            pipeline: pipelines.for(dispatch),
            offsets: offsets.get(dispatch) ?? new Uint32Array(0),
            outside: [...new Set(buffers)].filter((index) => plan.buffers[index].kind !== 'temporary'),
            groups: new Recent<GPUBindGroup>(MAX_GROUPS),
          };
        }),
      ),
    );
  }

  /** Records the steps that `runs` wants into a pass. */
  encode(
    pass: GPUComputePassEncoder,
    args: readonly GPUBuffer[],
    outputs: readonly GPUBuffer[],
    runs: (step: number) => boolean,
  ): void {
    let current: GPUComputePipeline | undefined;
    for (let step = 0; step < this.#turns.length; step++) {
      if (!runs(step)) continue;
      for (const { launches, groups, rows } of this.#turns[step]) {
        launches.forEach((launch, i) => (groups[i] = this.#groupFor(launch, args, outputs)));
        for (let row = 0; row < rows; row++) {
          for (let i = 0; i < launches.length; i++) {
            const { dispatch, pipeline, offsets } = launches[i];
            if (row >= offsets.length) continue;
            if (pipeline.pipeline !== current) pass.setPipeline(pipeline.pipeline);
            current = pipeline.pipeline;
            pass.setBindGroup(0, groups[i], offsets, row, 1);
            pass.dispatchWorkgroups(...dispatch.workgroups);
          }
        }
      }
    }
  }

  /** @param stale whether kept steps run too. */
  run(
    args: readonly GPUBuffer[],
    outputs: readonly GPUBuffer[],
    reads: readonly number[],
    stale: boolean,
  ): Promise<NumberArray>[] {
    const encoder = this.#device.createCommandEncoder({ label: 'gatewise' });
    const pass = encoder.beginComputePass({ label: 'gatewise' });
    this.encode(pass, args, outputs, (step) => stale || !this.plan.steps[step].kept);
    pass.end();
    const readbacks = reads.map((index) => {
      const { buffer, view, dtype } = this.plan.outputs[index];
      return this.#staging.copy(
        encoder,
        this.bufferOf(buffer, args, outputs),
        view.offset,
        sizeOf(view.shape),
        dtype,
      );
    });
    this.#device.queue.submit([encoder.finish()]);
    return readbacks.map((readback) => readback.arrive());
  }

  /** How often each step launches a kernel. */
  get dispatches(): number[] {
    const ofTurn = ({ launches }: Turn): number =>
      launches.reduce((sum, { offsets }) => sum + offsets.length, 0);
    return this.#turns.map((turns) => turns.reduce((sum, turn) => sum + ofTurn(turn), 0));
  }

  /**
   * Seconds of each step on its own. In the plan's order, so that each begins with what the steps before it made; that one
   * which works in place then goes on from its own result changes what it computes, not for how long.
   */
  async time(
    stopwatch: Stopwatch,
    clock: Clock,
    args: readonly GPUBuffer[],
    outputs: readonly GPUBuffer[],
  ): Promise<number[]> {
    const seconds: number[] = [];
    for (const step of this.plan.steps.keys()) {
      seconds.push(await stopwatch.typical(this.repeatOf(step, args, outputs), clock));
    }
    return seconds;
  }

  /** One step, over and over. */
  repeatOf(step: number, args: readonly GPUBuffer[], outputs: readonly GPUBuffer[]): Repeat {
    return (pass, times) => {
      if (this.#disposed)
        throw new GatewiseError(
          'disposed',
          'profile: what is profiled was disposed of; await the profile first',
        );
      for (let i = 0; i < times; i++) this.encode(pass, args, outputs, (other) => other === step);
    };
  }

  bufferOf(buffer: number, args: readonly GPUBuffer[], outputs: readonly GPUBuffer[]): GPUBuffer {
    const { kind, index = 0 } = this.plan.buffers[buffer];
    return this.#temporaries[buffer] ?? (kind === 'argument' ? args[index] : outputs[index]);
  }

  /** A launch that binds no argument and no output has one bind group for life. */
  #groupFor(launch: Launch, args: readonly GPUBuffer[], outputs: readonly GPUBuffer[]): GPUBindGroup {
    let key = '';
    for (const buffer of launch.outside) key += `${this.#idOf(this.bufferOf(buffer, args, outputs))},`;
    const { dispatch, pipeline, groups } = launch;
    return groups.get(key, () =>
      createBindGroup(this.#device, dispatch, pipeline, this.#uniforms, (buffer) =>
        this.bufferOf(buffer, args, outputs),
      ),
    );
  }

  #idOf(buffer: GPUBuffer): number {
    const known = this.#ids.get(buffer);
    if (known !== undefined) return known;
    this.#ids.set(buffer, ++this.#nextId);
    return this.#nextId;
  }

  dispose(): void {
    this.#disposed = true;
    this.#uniforms.destroy();
    for (const buffer of this.#temporaries) buffer?.destroy();
    for (const turn of this.#turns.flat()) for (const launch of turn.launches) launch.groups.clear();
  }
}
