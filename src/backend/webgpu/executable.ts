// A plan prepared for a device: pipelines, temporaries and uniforms are created once; a run is one encoder, one pass, one submit.
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
  /** The variant of each step; undefined if it has only one. */
  readonly variants: readonly (string | undefined)[];
  readonly #device: GPUDevice;
  readonly #staging: Staging;
  readonly #uniforms: GPUBuffer;
  readonly #temporaries: readonly (GPUBuffer | undefined)[];
  readonly #recording: Recording;
  readonly #groups: BindGroups;
  #disposed = false;

  /** @param choices Tuned variants, by kind of step. */
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
    // Throws for a missing kernel before it allocates any memory.
    this.variants = plan.steps.map((step) => launcher.variantOf(step, choices));
    const dispatches = plan.steps.map((step, i) => launcher.dispatchesOf(step, this.variants[i]));
    // Scratch memory of unselected variants is never bound.
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

  /** Records the steps that `runs` selects into a pass. */
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

  /** @param runs Selects the steps. */
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

  /** Records a subset of the steps, which needs only their arguments. */
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

  /** Number of dispatches per step. */
  get dispatches(): number[] {
    return this.#recording.dispatches;
  }

  /**
   * Seconds of each step alone, in plan order, so that each starts from the results of earlier steps. Repeating an in-place step
   * changes its values but not its duration.
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

  /** Repeats one step. */
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

/** The buffer of an argument or a result. */
function outsideBuffer(
  { kind, index = 0 }: BufferSpec,
  args: readonly WebGPUBuffer[],
  outputs: readonly WebGPUBuffer[],
): WebGPUBuffer {
  return kind === 'argument' ? args[index] : outputs[index];
}
