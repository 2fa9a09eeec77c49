// Storage buffers on the device for tensors and temporaries.
import { GatewiseError } from '../../core/errors.ts';
import type { DeviceBuffer } from '../backend.ts';
import { newVersion } from '../memo.ts';
import { BufferUsage } from './flags.ts';

let lastId = 0;

/** The memory of a tensor, or of a temporary. */
export class WebGPUBuffer implements DeviceBuffer {
  readonly gpuBuffer: GPUBuffer;
  readonly size: number;
  /** Elements before the first, in a buffer of the application. */
  readonly offset: number;
  /** Unique among all buffers; bind groups are cached by it. */
  readonly id: number = ++lastId;
  version: number = newVersion();
  readonly destroy: () => void;
  /** Whether commands of the application may use the memory. */
  isShared = false;

  /** @param destroy Frees the memory; nothing does for a buffer of the application. */
  constructor(gpuBuffer: GPUBuffer, size: number, destroy: () => void, offset = 0) {
    this.gpuBuffer = gpuBuffer;
    this.size = size;
    this.destroy = destroy;
    this.offset = offset;
  }
}

export function asWebGPUBuffer(buffer: DeviceBuffer): WebGPUBuffer {
  if (!(buffer instanceof WebGPUBuffer))
    throw new GatewiseError('internal', 'the WebGPU backend was given a buffer of another backend');
  return buffer;
}

/** The buffer. @throws GatewiseError `unsupported` if it is an application's that lacks the usage. */
export function usable(usage: 'COPY_SRC' | 'COPY_DST', buffer: DeviceBuffer): WebGPUBuffer {
  const own = asWebGPUBuffer(buffer);
  if ((own.gpuBuffer.usage & BufferUsage[usage]) === 0)
    throw new GatewiseError(
      'unsupported',
      `the application's buffer of this tensor has no GPUBufferUsage.${usage}; create it with that usage to ${usage === 'COPY_SRC' ? 'read or copy' : 'write'} it`,
    );
  return own;
}

const STORAGE: number = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;

/** Bytes of `elements` of 4 bytes, rounded up to whole vec4s, since some kernels bind memory as `array<vec4f>`. */
export const storageBytes = (elements: number): number => Math.max(16, Math.ceil(elements / 4) * 16);

/** The most bytes of one tensor. */
export const bindingBytes = ({ limits }: GPUDevice): number =>
  Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);

/**
 * Storage for `elements` of 4 bytes. @param destroy Frees it, now unless given.
 * @throws GatewiseError `unsupported` for a size above what the device can bind.
 */
export function createStorage(
  device: GPUDevice,
  elements: number,
  label: string,
  destroy = (gpuBuffer: GPUBuffer): void => gpuBuffer.destroy(),
): WebGPUBuffer {
  const size = storageBytes(elements);
  const limit = bindingBytes(device);
  if (size > limit) {
    throw new GatewiseError(
      'unsupported',
      `a ${label} of ${size} bytes is above the device's limit of ${limit} bytes a binding; use a smaller batch or a shorter sequence`,
    );
  }
  const gpuBuffer = device.createBuffer({ label: `gatewise ${label}`, size, usage: STORAGE });
  return new WebGPUBuffer(gpuBuffer, elements, () => destroy(gpuBuffer));
}

/**
 * A part of an application's buffer as memory of a tensor. @param offset In bytes.
 * @throws GatewiseError `argument` if kernels cannot bind it.
 */
export function importStorage(
  { limits }: GPUDevice,
  gpuBuffer: GPUBuffer,
  elements: number,
  offset: number,
): WebGPUBuffer {
  const refuse = (problem: string): never => {
    throw new GatewiseError('argument', `tensorFrom: ${problem}`);
  };
  const alignment = limits.minStorageBufferOffsetAlignment;
  const needed = storageBytes(elements);
  if ((gpuBuffer.usage & BufferUsage.STORAGE) === 0)
    refuse('expected a buffer with GPUBufferUsage.STORAGE; create it with that usage');
  if (!(Number.isInteger(offset) && offset >= 0 && offset % alignment === 0))
    refuse(`expected an offset in bytes that is a multiple of ${alignment}, got ${offset}`);
  if (offset + needed > gpuBuffer.size)
    refuse(
      `${elements} elements need ${needed} bytes (whole vec4s) from byte ${offset} on, and the buffer has ${gpuBuffer.size}`,
    );
  if (needed > limits.maxStorageBufferBindingSize)
    refuse(`${needed} bytes are above the device's limit of ${limits.maxStorageBufferBindingSize} a binding`);
  const imported = new WebGPUBuffer(gpuBuffer, elements, () => undefined, offset / 4);
  imported.isShared = true;
  return imported;
}
