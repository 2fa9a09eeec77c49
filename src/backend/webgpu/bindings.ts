// Launches with what they bind: one buffer per plan that holds all rows of uniforms, written once, and ranges of storage buffers.
import { packUniforms } from '../../core/kernel.ts';
import type { Binding, Dispatch } from './dispatch.ts';
import { storageBytes, type WebGPUBuffer } from './buffers.ts';
import { BufferUsage } from './flags.ts';
import type { Pipelines } from './pipelines.ts';
import type { Launch } from './recording.ts';

/** Creates the pipelines of dispatches and a buffer of their uniforms, each row at an offset that WebGPU can bind dynamically. */
export function createLaunches(
  device: GPUDevice,
  pipelines: Pipelines,
  dispatches: readonly Dispatch[],
): { readonly launches: Launch[]; readonly uniforms: GPUBuffer } {
  const alignment = device.limits.minUniformBufferOffsetAlignment;
  const rowBytes = ({ kernel }: Dispatch): number => Math.ceil(kernel.uniforms.size / alignment) * alignment;
  const total = dispatches.reduce((sum, d) => sum + rowBytes(d) * d.uniforms.length, 0);
  const uniforms = device.createBuffer({
    label: 'gatewise uniforms',
    size: Math.max(total, 16),
    usage: BufferUsage.UNIFORM,
    mappedAtCreation: true,
  });
  const view = new DataView(uniforms.getMappedRange());
  let next = 0;
  const launches = dispatches.map((dispatch) => {
    const rows = dispatch.uniforms.map((values) => {
      packUniforms(view, next, dispatch.kernel.uniforms.layout, values);
      const offset = next;
      next += rowBytes(dispatch);
      return offset;
    });
    return { dispatch, pipeline: pipelines.of(dispatch), rows: Uint32Array.from(rows) };
  });
  uniforms.unmap();
  return { launches, uniforms };
}

/** @param bufferOf The memory for an index into the plan's buffers. */
export function createBindGroup(
  device: GPUDevice,
  { dispatch: { kernel, bindings }, pipeline: { layout } }: Launch,
  uniforms: GPUBuffer,
  bufferOf: (buffer: number) => WebGPUBuffer,
): GPUBindGroup {
  const bound = Object.entries(bindings).map(([name, binding]): GPUBindGroupEntry => ({
    binding: kernel.bindings[name].binding,
    resource: resourceOf(bufferOf(binding.buffer), binding),
  }));
  const { binding, size } = kernel.uniforms;
  return device.createBindGroup({
    label: `gatewise ${kernel.name}`,
    layout,
    entries: [{ binding, resource: { buffer: uniforms, size } }, ...bound],
  });
}

function resourceOf(memory: WebGPUBuffer, { offset, size }: Binding): GPUBufferBinding {
  return {
    buffer: memory.gpuBuffer,
    offset: (memory.offset + offset) * 4,
    size: size === undefined ? storageBytes(memory.size) - offset * 4 : size * 4,
  };
}
