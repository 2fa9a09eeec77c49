// A plan on a device: pipelines, temporaries and uniforms made once; a run is one encoder, one pass, one submit.
import { GatewiseError } from '../../core/errors.ts';
import { sizeOf, type NumberArray } from '../../core/shape.ts';
import type { BufferSpec } from '../../plan/memory.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Choices } from '../tuning.ts';
import { BindGroups } from './bind_groups.ts';
import { createBindGroup, createUniforms } from './bindings.ts';
import { createStorage, type WebGPUBuffer } from './buffers.ts';
import type { Launcher } from './launches.ts';
import type { Pipelines } from './pipelines.ts';
import { Recording } from './recording.ts';
import type { Staging } from './staging.ts';
import type { Clock, Repeat, Stopwatch } from './stopwatch.ts';

export class WebGPUExecutable {
  readonly plan: Plan;
  /** In which variant each step is run; undefined where it has but one. */
  readonly variants: readonly (string | undefined)[];
  readonly #device: GPUDevice;
  readonly #staging: Staging;
  readonly #uniforms: GPUBuffer;
  readonly #temporaries: readonly (GPUBuffer | undefined)[];
  readonly #recording: Recording;
  readonly #groups: BindGroups;
  #disposed = false;

  /** @param choices of variants, for the kinds of steps of which something is known. */
  constructor(
    device: GPUDevice,
    pipelines: Pipelines,
    staging: Staging,
    plan: Plan,
    launcher: Launcher,
    choices: Choices = {},
  ) {
    this.plan = plan;
    this.#device = device;
    this.#staging = staging;
    // Before any memory is made: where a step has no kernel, nothing is left behind.
    this.variants = plan.steps.map((step) => launcher.variantOf(step, choices));
    const dispatches = plan.steps.map((step, i) => launcher.dispatchesOf(step, this.variants[i]));
    // Scratch memory that only another variant would use is never bound.
    const bound = new Set(
      dispatches.flat().flatMap(({ bindings }) => Object.values(bindings).map(({ buffer }) => buffer)),
    );
    this.#temporaries = plan.buffers.map(({ kind, size, label }, i) =>
      kind === 'temporary' && bound.has(i) ? createStorage(device, size, label) : undefined,
    );
    const { buffer, offsets } = createUniforms(device, dispatches.flat());
    this.#uniforms = buffer;
    this.#recording = new Recording(
      dispatches.map((list) =>
        list.map((dispatch) => ({
          dispatch,
          pipeline: pipelines.for(dispatch),
          rows: offsets.get(dispatch) ?? new Uint32Array(0),
        })),
      ),
    );
    const { launches } = this.#recording;
    const outside = launches.map(({ dispatch: { bindings } }) =>
      [...new Set(Object.values(bindings).map((binding) => binding.buffer))].filter(
        (index) => plan.buffers[index].kind !== 'temporary',
      ),
    );
    this.#groups = new BindGroups(outside, (launch, outsideOf) =>
      createBindGroup(
        device,
        launches[launch].dispatch,
        launches[launch].pipeline,
        this.#uniforms,
        (index) => this.#temporaries[index] ?? outsideOf(index).buffer,
      ),
    );
  }

  /** Records the steps that `runs` wants into a pass. */
  encode(
    pass: GPUComputePassEncoder,
    args: readonly WebGPUBuffer[],
    outputs: readonly WebGPUBuffer[],
    runs: (step: number) => boolean,
  ): void {
    const { buffers } = this.plan;
    this.#groups.update((buffer) => outsideBuffer(buffers[buffer], args, outputs));
    this.#recording.record(pass, this.#groups.current, runs);
  }

  /** @param runs which steps do. */
  run(
    args: readonly WebGPUBuffer[],
    outputs: readonly WebGPUBuffer[],
    reads: readonly number[],
    runs: (step: number) => boolean,
  ): Promise<NumberArray>[] {
    const encoder = this.#device.createCommandEncoder({ label: 'gatewise' });
    const pass = encoder.beginComputePass({ label: 'gatewise' });
    this.encode(pass, args, outputs, runs);
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

  /** Some steps alone, whose arguments are there; of the others nothing is looked at. */
  prefetch(
    args: readonly WebGPUBuffer[],
    outputs: readonly WebGPUBuffer[],
    runs: (step: number) => boolean,
  ): void {
    const { buffers } = this.plan;
    const encoder = this.#device.createCommandEncoder({ label: 'gatewise' });
    const pass = encoder.beginComputePass({ label: 'gatewise prefetch' });
    this.#groups.update(
      (buffer) => outsideBuffer(buffers[buffer], args, outputs),
      (launch) => runs(this.#recording.stepOf[launch]),
    );
    this.#recording.record(pass, this.#groups.current, runs);
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
  }

  /** How often each step launches a kernel. */
  get dispatches(): number[] {
    return this.#recording.dispatches;
  }

  /**
   * Seconds of each step on its own. In the plan's order, so that each begins with what the steps before it made; that one
   * which works in place then goes on from its own result changes what it computes, not for how long.
   */
  async time(
    stopwatch: Stopwatch,
    clock: Clock,
    args: readonly WebGPUBuffer[],
    outputs: readonly WebGPUBuffer[],
  ): Promise<number[]> {
    const seconds: number[] = [];
    for (const step of this.plan.steps.keys()) {
      seconds.push(await stopwatch.typical(this.repeatOf(step, args, outputs), clock));
    }
    return seconds;
  }

  /** One step, over and over. */
  repeatOf(step: number, args: readonly WebGPUBuffer[], outputs: readonly WebGPUBuffer[]): Repeat {
    return (pass, times) => {
      if (this.#disposed)
        throw new GatewiseError(
          'disposed',
          'profile: what is profiled was disposed of; await the profile first',
        );
      for (let i = 0; i < times; i++) this.encode(pass, args, outputs, (other) => other === step);
    };
  }

  bufferOf(buffer: number, args: readonly WebGPUBuffer[], outputs: readonly WebGPUBuffer[]): GPUBuffer {
    return this.#temporaries[buffer] ?? outsideBuffer(this.plan.buffers[buffer], args, outputs).buffer;
  }

  dispose(): void {
    this.#disposed = true;
    this.#uniforms.destroy();
    for (const buffer of this.#temporaries) buffer?.destroy();
    this.#groups.clear();
  }
}

/** Where an argument or a result lies. */
function outsideBuffer(
  { kind, index = 0 }: BufferSpec,
  args: readonly WebGPUBuffer[],
  outputs: readonly WebGPUBuffer[],
): WebGPUBuffer {
  return kind === 'argument' ? args[index] : outputs[index];
}
