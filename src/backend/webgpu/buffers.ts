// Device memory for tensors and temporaries.
import { GatewiseError } from '../../core/errors.ts';
import type { DeviceBuffer } from '../backend.ts';
import { newVersion } from '../memo.ts';
import { BufferUsage } from './flags.ts';

let buffers = 0;

/** Device memory of a tensor. */
export class WebGPUBuffer implements DeviceBuffer {
  readonly size: number;
  readonly buffer: GPUBuffer;
  /** A number unique to this buffer. */
  readonly id: number = ++buffers;
  version: number = newVersion();

  constructor(buffer: GPUBuffer, size: number) {
    this.buffer = buffer;
    this.size = size;
  }

  destroy(): void {
    this.buffer.destroy();
  }
}

const STORAGE: number = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;

/**
 * A storage buffer, rounded up to whole vec4s so that kernels can bind it as vec4s to the end.
 * @throws GatewiseError `unsupported` for sizes above the device's limit.
 */
export function createStorage(device: GPUDevice, elements: number, label: string): GPUBuffer {
  const size = Math.max(16, Math.ceil(elements / 4) * 16);
  const limit = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  if (size > limit) {
    throw new GatewiseError(
      'unsupported',
      `a ${label} of ${size} bytes is above the device's limit of ${limit} bytes a binding; use a smaller batch or a shorter sequence`,
    );
  }
  return device.createBuffer({ label: `gatewise ${label}`, size, usage: STORAGE });
}
