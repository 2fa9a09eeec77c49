// Storage buffers on the device for tensors and temporaries.
import { GatewiseError } from '../../core/errors.ts';
import type { DeviceBuffer } from '../backend.ts';
import { newVersion } from '../memo.ts';

/**
 * WebGPU's flags, from the specification. The globals that name them (GPUBufferUsage and others) are not installed where an
 * application passes a device in Node.
 */
export const BufferUsage = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
  QUERY_RESOLVE: 0x200,
} as const;
export const MAP_READ_MODE = 0x1;
export const COMPUTE_STAGE = 0x4;

let lastId = 0;

/** The memory of a tensor. */
export class WebGPUBuffer implements DeviceBuffer {
  readonly size: number;
  readonly buffer: GPUBuffer;
  /** Unique among all buffers; bind groups are cached by it. */
  readonly id: number = ++lastId;
  version: number = newVersion();

  constructor(buffer: GPUBuffer, size: number) {
    this.buffer = buffer;
    this.size = size;
  }

  destroy(): void {
    this.buffer.destroy();
  }
}

export function asWebGPUBuffer(buffer: DeviceBuffer): WebGPUBuffer {
  if (!(buffer instanceof WebGPUBuffer))
    throw new GatewiseError('internal', 'the WebGPU backend was given a buffer of another backend');
  return buffer;
}

const STORAGE: number = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;

/**
 * A storage buffer for `elements` of 4 bytes, rounded up to whole vec4s, since some kernels bind it as `array<vec4f>`.
 * @throws GatewiseError `unsupported` for a size above what the device can bind.
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
