// Readback through a pool of mappable staging buffers, so that several readbacks can be in flight.
import { GatewiseError } from '../../core/errors.ts';
import type { DType, NumberArray } from '../../core/shape.ts';
import type { CompletionPolling } from './completion_polling.ts';
import type { WebGPUBuffer } from './buffers.ts';
import { BufferUsage, MAP_READ_MODE } from './flags.ts';

/** Staging buffers that are kept for later reads, in bytes; one is kept whatever its size. */
const FREE_BYTES = 16 * 2 ** 20;

/** A copy to a staging buffer that is recorded in an encoder. */
export interface Readback {
  /**
   * The copied values. Call it once, after the submit of the encoder.
   * @throws GatewiseError as a rejection, if the device failed before or during the readback.
   */
  read(): Promise<NumberArray>;
}

/** Where to copy from; its offset in elements. */
type Source = Pick<WebGPUBuffer, 'gpuBuffer' | 'offset'>;

export interface Staging {
  /** Records the copy of `size` elements from `source`, starting at element `offset`. */
  copy(encoder: GPUCommandEncoder, source: Source, offset: number, size: number, dtype: DType): Readback;
  /** Reads the first `size` elements of a buffer after all queued work. */
  fetch(source: Source, size: number, dtype: DType): Promise<NumberArray>;
  dispose(): void;
}

/** @param failure The first error of the device, if there was one. */
export function createStaging(
  device: GPUDevice,
  polling: CompletionPolling,
  failure: () => GatewiseError | undefined,
): Staging {
  const free: GPUBuffer[] = [];

  /** A free buffer of at least `bytes` that is not much larger, or a new one. */
  const acquire = (bytes: number): GPUBuffer => {
    const index = free.findIndex(({ size }) => size >= bytes && size <= 4 * bytes + 256);
    if (index >= 0) return free.splice(index, 1)[0];
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const usage = BufferUsage.MAP_READ | BufferUsage.COPY_DST;
    return device.createBuffer({ label: 'gatewise readback', size, usage });
  };

  /** Keeps a buffer for later reads, and destroys those that were read first beyond FREE_BYTES. */
  const give = (buffer: GPUBuffer): void => {
    free.push(buffer);
    let bytes = free.reduce((sum, { size }) => sum + size, 0);
    while (free.length > 1 && bytes > FREE_BYTES) {
      const [oldest] = free.splice(0, 1);
      bytes -= oldest.size;
      oldest.destroy();
    }
  };

  const copy: Staging['copy'] = (encoder, source, offset, size, dtype) => {
    const bytes = size * 4;
    const buffer = acquire(bytes);
    encoder.copyBufferToBuffer(source.gpuBuffer, (source.offset + offset) * 4, buffer, 0, bytes);
    return {
      read: async () => {
        try {
          await polling.during(buffer.mapAsync(MAP_READ_MODE, 0, bytes));
        } catch (cause) {
          throw (
            failure() ??
            new GatewiseError('device', 'a result could not be read back from the device', { cause })
          );
        }
        const copied = buffer.getMappedRange(0, bytes).slice(0);
        buffer.unmap();
        give(buffer);
        const failed = failure();
        if (failed !== undefined) throw failed;
        return dtype === 'i32' ? new Int32Array(copied) : new Float32Array(copied);
      },
    };
  };

  return {
    copy,
    fetch(source, size, dtype) {
      const encoder = device.createCommandEncoder({ label: 'gatewise read' });
      const readback = copy(encoder, source, 0, size, dtype);
      device.queue.submit([encoder.finish()]);
      return readback.read();
    },
    dispose() {
      for (const buffer of free.splice(0)) buffer.destroy();
    },
  };
}
