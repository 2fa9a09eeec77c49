// A plan on a device: pipelines, temporaries and uniforms made once; a run is one encoder, one pass, one submit.
import { packUniforms } from '../../core/kernel.ts';
import { Recent } from '../../core/recent.ts';
import { sizeOf } from '../../core/shape.ts';
import type { Binding, Dispatch, NumberArray, Target } from '../../graph/launch.ts';
import { dispatchesOf, type Plan } from '../../plan/plan.ts';
import { BufferUsage } from './flags.ts';
import type { Pipeline, Pipelines } from './pipelines.ts';
import type { Staging } from './staging.ts';

/** Runs whose argument and output buffers were seen lately keep their bind groups. */
const MAX_BOUND = 16;

interface Launch {
  readonly dispatch: Dispatch;
  readonly pipeline: Pipeline;
  /** Byte offsets of the rows of uniforms. */
  readonly offsets: Uint32Array;
}

export class WebGPUExecutable {
  readonly plan: Plan;
  readonly #device: GPUDevice;
  readonly #staging: Staging;
  readonly #uniforms: GPUBuffer;
  readonly #temporaries: readonly (GPUBuffer | undefined)[];
  /** Per step of the plan. */
  readonly #launches: readonly (readonly Launch[])[];
  readonly #bound = new Recent<readonly (readonly GPUBindGroup[])[]>(MAX_BOUND);
  readonly #ids = new WeakMap<GPUBuffer, number>();
  #nextId = 0;

  constructor(device: GPUDevice, pipelines: Pipelines, staging: Staging, plan: Plan, target: Target) {
    this.plan = plan;
    this.#device = device;
    this.#staging = staging;
    this.#temporaries = plan.buffers.map(({ kind, size, label }) =>
      kind === 'temporary'
        ? device.createBuffer({ label, size: bufferBytes(size), usage: STORAGE })
        : undefined,
    );
    const dispatches = plan.steps.map((step) => dispatchesOf(step, target));
    const alignment = device.limits.minUniformBufferOffsetAlignment;
    const row = (d: Dispatch): number => Math.ceil(d.kernel.uniforms.size / alignment) * alignment;
    const total = dispatches.flat().reduce((sum, d) => sum + row(d) * d.uniforms.length, 0);
    this.#uniforms = device.createBuffer({
      label: 'uniforms',
      size: Math.max(total, 16),
      usage: BufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    const view = new DataView(this.#uniforms.getMappedRange());
    let next = 0;
    this.#launches = dispatches.map((list) =>
      list.map((dispatch) => {
        const offsets = dispatch.uniforms.map((values) => {
          packUniforms(view, next, dispatch.kernel.uniforms.layout, values);
          const at = next;
          next += row(dispatch);
          return at;
        });
        return { dispatch, pipeline: pipelines.for(dispatch), offsets: Uint32Array.from(offsets) };
      }),
    );
    this.#uniforms.unmap();
  }

  /** Records all steps, or one of them, into a pass. */
  encode(
    pass: GPUComputePassEncoder,
    args: readonly GPUBuffer[],
    outputs: readonly GPUBuffer[],
    only?: number,
  ): void {
    const groups = this.#groupsFor(args, outputs);
    let current: GPUComputePipeline | undefined;
    for (let step = 0; step < this.#launches.length; step++) {
      if (only !== undefined && step !== only) continue;
      const launches = this.#launches[step];
      for (let i = 0; i < launches.length; i++) {
        const { dispatch, pipeline, offsets } = launches[i];
        if (pipeline.pipeline !== current) pass.setPipeline(pipeline.pipeline);
        current = pipeline.pipeline;
        const [x, y, z] = dispatch.workgroups;
        for (let row = 0; row < offsets.length; row++) {
          pass.setBindGroup(0, groups[step][i], offsets, row, 1);
          pass.dispatchWorkgroups(x, y, z);
        }
      }
    }
  }

  run(
    args: readonly GPUBuffer[],
    outputs: readonly GPUBuffer[],
    reads: readonly number[],
  ): Promise<NumberArray>[] {
    const encoder = this.#device.createCommandEncoder({ label: 'gatewise' });
    const pass = encoder.beginComputePass({ label: 'gatewise' });
    this.encode(pass, args, outputs);
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

  bufferOf(buffer: number, args: readonly GPUBuffer[], outputs: readonly GPUBuffer[]): GPUBuffer {
    const { kind, index = 0 } = this.plan.buffers[buffer];
    return this.#temporaries[buffer] ?? (kind === 'argument' ? args[index] : outputs[index]);
  }

  #groupsFor(
    args: readonly GPUBuffer[],
    outputs: readonly GPUBuffer[],
  ): readonly (readonly GPUBindGroup[])[] {
    let key = '';
    for (const buffer of args) key += `${this.#idOf(buffer)},`;
    for (const buffer of outputs) key += `${this.#idOf(buffer)},`;
    return this.#bound.get(key, () => this.#makeGroups(args, outputs));
  }

  #makeGroups(
    args: readonly GPUBuffer[],
    outputs: readonly GPUBuffer[],
  ): readonly (readonly GPUBindGroup[])[] {
    return this.#launches.map((launches) =>
      launches.map(({ dispatch, pipeline }) => {
        const bound = Object.entries(dispatch.bindings).map(([name, binding]): GPUBindGroupEntry => ({
          binding: dispatch.kernel.bindings[name].binding,
          resource: resourceOf(this.bufferOf(binding.buffer, args, outputs), binding),
        }));
        const uniforms = {
          binding: dispatch.kernel.uniforms.binding,
          resource: { buffer: this.#uniforms, size: dispatch.kernel.uniforms.size },
        };
        return this.#device.createBindGroup({
          label: dispatch.kernel.name,
          layout: pipeline.layout,
          entries: [uniforms, ...bound],
        });
      }),
    );
  }

  #idOf(buffer: GPUBuffer): number {
    const known = this.#ids.get(buffer);
    if (known !== undefined) return known;
    this.#ids.set(buffer, ++this.#nextId);
    return this.#nextId;
  }

  dispose(): void {
    this.#uniforms.destroy();
    for (const buffer of this.#temporaries) buffer?.destroy();
    this.#bound.clear();
  }
}

/** How buffers that kernels read and write are made. */
export const STORAGE: number = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;

/** Whole vec4s, so that a packed kernel may bind to the end. */
export function bufferBytes(elements: number): number {
  return Math.max(16, Math.ceil(elements / 4) * 16);
}

function resourceOf(buffer: GPUBuffer, { offset, size }: Binding): GPUBufferBinding {
  return size === undefined ? { buffer, offset: offset * 4 } : { buffer, offset: offset * 4, size: size * 4 };
}
