// A prepared plan on a GPU device: pipelines, temporaries and uniforms are created once; a run is one encoder, pass and submit.
import { GatewiseError } from '../../core/errors.ts';
import { sizeOf, type NumberArray } from '../../core/shape.ts';
import type { Plan } from '../../plan/plan.ts';
import type { DeviceBuffer } from '../backend.ts';
import type { Choices } from '../tuning.ts';
import { BindGroups, type ExternalBuffers } from './bind_groups.ts';
import { createBindGroup, createLaunches } from './bindings.ts';
import { asWebGPUBuffer, createStorage, type WebGPUBuffer } from './buffers.ts';
import type { Launcher } from './launches.ts';
import type { Pipelines } from './pipelines.ts';
import { Recording } from './recording.ts';
import type { SharedTemporaries, TemporarySizes } from './shared_temporaries.ts';
import type { Staging } from './staging.ts';
import type { Clock, DeviceTimer, Repeat } from './timing.ts';

export class WebGPUExecutable {
  readonly plan: Plan;
  /** The variant of each step; undefined if its kernel has no variants. */
  readonly variants: readonly (string | undefined)[];
  readonly #device: GPUDevice;
  readonly #staging: Staging;
  readonly #uniforms: GPUBuffer;
  /** By index into the plan's buffers: the temporaries whose contents outlive a run. */
  readonly #retained: readonly (WebGPUBuffer | undefined)[];
  readonly #shared: SharedTemporaries;
  readonly #sizes: TemporarySizes;
  /** By index into the plan's buffers: the number of a shared temporary. */
  readonly #sharedIndex = new Map<number, number>();
  #sharedVersion: number;
  readonly #recording: Recording;
  readonly #bindGroups: BindGroups;
  #disposed = false;

  /** @param choices The tuned variants; other kinds of steps run in their default variant. */
  constructor(
    device: GPUDevice,
    pipelines: Pipelines,
    staging: Staging,
    shared: SharedTemporaries,
    plan: Plan,
    launcher: Launcher,
    choices: Choices = {},
  ) {
    this.plan = plan;
    this.#device = device;
    this.#staging = staging;
    this.#shared = shared;
    // Dispatches come before any allocation: if a step has no kernel, this throws and leaves nothing to free.
    this.variants = plan.steps.map((step) => launcher.variantOf(step, choices));
    const dispatches = plan.steps.map((step, i) => launcher.dispatchesOf(step, this.variants[i]));
    // Buffers that no dispatch binds are not allocated, such as scratch memory of another variant.
    const bound = new Set(
      dispatches.flat().flatMap(({ bindings }) => Object.values(bindings).map(({ buffer }) => buffer)),
    );
    const temporaries = [...plan.buffers.keys()].filter(
      (index) => plan.buffers[index].kind === 'temporary' && bound.has(index),
    );
    const sharable = temporaries
      .filter((index) => !plan.buffers[index].isRetained)
      .toSorted((a, b) => plan.buffers[b].size - plan.buffers[a].size);
    sharable.forEach((index, n) => this.#sharedIndex.set(index, n));
    this.#sizes = sharable.map((index) => plan.buffers[index].size);
    shared.reserve(this.#sizes);
    this.#sharedVersion = shared.version;
    this.#retained = plan.buffers.map(({ size, label, isRetained }, index) =>
      isRetained && temporaries.includes(index) ? createStorage(device, size, label) : undefined,
    );
    const { launches, uniforms } = createLaunches(device, pipelines, dispatches.flat());
    this.#uniforms = uniforms;
    const external = launches.map(({ dispatch: { bindings } }) =>
      [...new Set(Object.values(bindings).map(({ buffer }) => buffer))].filter(
        (index) => plan.buffers[index].kind !== 'temporary',
      ),
    );
    this.#bindGroups = new BindGroups(external, (launch, buffers) =>
      createBindGroup(device, launches[launch], uniforms, (index) => this.bufferOf(index, buffers)),
    );
    let next = 0;
    this.#recording = new Recording(dispatches.map((list) => list.map(() => launches[next++])));
  }

  /**
   * Submits steps and readbacks of outputs. Arguments and outputs that only other steps bind are ignored.
   * @param runs Whether to run a step. @param label The label of the pass. @param before Records what comes first.
   */
  run(
    external: ExternalBuffers,
    reads: readonly number[],
    runs: (step: number) => boolean,
    label: string = 'gatewise',
    before?: (pass: GPUComputePassEncoder) => void,
  ): Promise<NumberArray>[] {
    const encoder = this.#device.createCommandEncoder({ label: 'gatewise' });
    const pass = encoder.beginComputePass({ label });
    before?.(pass);
    this.record(pass, external, runs);
    pass.end();
    const readbacks = reads.map((index) => {
      const { buffer, view, dtype } = this.plan.outputs[index];
      const source = this.bufferOf(buffer, external);
      return this.#staging.copy(encoder, source, view.offset, sizeOf(view.shape), dtype);
    });
    this.#device.queue.submit([encoder.finish()]);
    return readbacks.map((readback) => readback.read());
  }

  /** Records steps into a pass, `times` over. @param runs Whether to record a step. */
  record(
    pass: GPUComputePassEncoder,
    external: ExternalBuffers,
    runs: (step: number) => boolean,
    times: number = 1,
  ): void {
    if (this.#sharedVersion !== this.#shared.version) {
      this.#bindGroups.clear();
      this.#sharedVersion = this.#shared.version;
    }
    this.#bindGroups.update(external, (launch) => runs(this.#recording.stepOf[launch]));
    for (let i = 0; i < times; i++) this.#recording.record(pass, this.#bindGroups.current, runs);
  }

  /** Settles when the device has compiled all pipelines; undefined if it has. */
  get compiling(): Promise<void> | undefined {
    return this.#recording.compiling;
  }

  /** The number of kernel launches of each step. */
  get dispatches(): number[] {
    return this.#recording.dispatches;
  }

  /**
   * The time of each step by itself, in seconds. Steps are timed in the plan's order, so that each reads the results of earlier
   * ones. Repeats of an in-place step change the values that it computes, which does not change its time.
   */
  async time(timer: DeviceTimer, clock: Clock, external: ExternalBuffers): Promise<number[]> {
    await this.compiling;
    const seconds: number[] = [];
    for (const step of this.plan.steps.keys())
      seconds.push(await timer.medianSeconds(this.repeatOf(step, external), clock));
    return seconds;
  }

  /** Repeats of one step, for a timer. @throws GatewiseError `disposed` if the executable is disposed during the measurement. */
  repeatOf(step: number, external: ExternalBuffers): Repeat {
    const runs = (other: number): boolean => other === step;
    return (pass, times) => {
      if (this.#disposed)
        throw new GatewiseError(
          'disposed',
          'profile: the profiled program was disposed of; await the profile before dispose()',
        );
      this.record(pass, external, runs, times);
    };
  }

  bufferOf(buffer: number, external: ExternalBuffers): WebGPUBuffer {
    const shared = this.#sharedIndex.get(buffer);
    return shared === undefined ? (this.#retained[buffer] ?? external(buffer)) : this.#shared.at(shared);
  }

  dispose(): void {
    this.#disposed = true;
    this.#uniforms.destroy();
    for (const buffer of this.#retained) buffer?.destroy();
    this.#shared.release(this.#sizes);
    this.#bindGroups.clear();
  }
}

/** The external buffers of a run. @throws GatewiseError `internal` for a buffer of another backend. */
export function externalBuffers(
  { buffers }: Plan,
  args: readonly DeviceBuffer[],
  outputs: readonly DeviceBuffer[],
): ExternalBuffers {
  return (buffer) => {
    const { kind, index = 0 } = buffers[buffer];
    return asWebGPUBuffer(kind === 'argument' ? args[index] : outputs[index]);
  };
}
