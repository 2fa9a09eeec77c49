// A dispatch's bindings: rows of uniforms, all in one buffer that is written once, and ranges of storage buffers.
import { packUniforms } from '../../core/kernel.ts';
import type { Binding, Dispatch } from './dispatch.ts';
import { BufferUsage } from './flags.ts';
import type { Pipeline } from './pipelines.ts';

export interface Uniforms {
  readonly buffer: GPUBuffer;
  /** Byte offsets of each dispatch's rows. */
  readonly offsets: ReadonlyMap<Dispatch, Uint32Array>;
}

export function createUniforms(device: GPUDevice, dispatches: readonly Dispatch[]): Uniforms {
  const alignment = device.limits.minUniformBufferOffsetAlignment;
  const row = (d: Dispatch): number => Math.ceil(d.kernel.uniforms.size / alignment) * alignment;
  const total = dispatches.reduce((sum, d) => sum + row(d) * d.uniforms.length, 0);
  const buffer = device.createBuffer({
    label: 'gatewise uniforms',
    size: Math.max(total, 16),
    usage: BufferUsage.UNIFORM,
    mappedAtCreation: true,
  });
  const view = new DataView(buffer.getMappedRange());
  let next = 0;
  const offsets = new Map(
    dispatches.map((dispatch) => {
      const rows = dispatch.uniforms.map((values) => {
        packUniforms(view, next, dispatch.kernel.uniforms.layout, values);
        const at = next;
        next += row(dispatch);
        return at;
      });
      return [dispatch, Uint32Array.from(rows)];
    }),
  );
  buffer.unmap();
  return { buffer, offsets };
}

/** @param bufferOf Maps a binding to its buffer. */
export function createBindGroup(
  device: GPUDevice,
  { kernel, bindings }: Dispatch,
  { layout }: Pipeline,
  uniforms: GPUBuffer,
  bufferOf: (buffer: number) => GPUBuffer,
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

function resourceOf(buffer: GPUBuffer, { offset, size }: Binding): GPUBufferBinding {
  return size === undefined ? { buffer, offset: offset * 4 } : { buffer, offset: offset * 4, size: size * 4 };
}
