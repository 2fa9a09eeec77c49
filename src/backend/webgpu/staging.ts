// Readback: a pool of mappable buffers, so that several readbacks can be in flight.
import { GatewiseError } from '../../core/errors.ts';
import type { DType } from '../../core/shape.ts';
import type { NumberArray } from '../../core/shape.ts';
import { BufferUsage, MAP_READ_MODE } from './flags.ts';
import type { Nudges } from './nudges.ts';

export interface Readback {
  /** Call after the submit that contains the copy. */
  arrive(): Promise<NumberArray>;
}

export class Staging {
  readonly #device: GPUDevice;
  readonly #free: GPUBuffer[] = [];
  readonly #failure: () => GatewiseError | undefined;
  readonly #nudges: Nudges;

  constructor(device: GPUDevice, nudges: Nudges, failure: () => GatewiseError | undefined) {
    this.#device = device;
    this.#failure = failure;
    this.#nudges = nudges;
  }

  /** Records the copy of `size` elements from `source`, starting at element `offset`. */
  copy(encoder: GPUCommandEncoder, source: GPUBuffer, offset: number, size: number, dtype: DType): Readback {
    const bytes = size * 4;
    const buffer = this.#take(bytes);
    encoder.copyBufferToBuffer(source, offset * 4, buffer, 0, bytes);
    return {
      arrive: async () => {
        try {
          await this.#nudges.during(buffer.mapAsync(MAP_READ_MODE, 0, bytes));
        } catch (cause) {
          throw (
            this.#failure() ??
            new GatewiseError('device', 'a result could not be read back from the device', { cause })
          );
        }
        const copied = buffer.getMappedRange(0, bytes).slice(0);
        buffer.unmap();
        this.#free.push(buffer);
        const failure = this.#failure();
        if (failure !== undefined) throw failure;
        return dtype === 'i32' ? new Int32Array(copied) : new Float32Array(copied);
      },
    };
  }

  #take(bytes: number): GPUBuffer {
    const at = this.#free.findIndex(({ size }) => size >= bytes && size <= 4 * bytes + 256);
    if (at >= 0) return this.#free.splice(at, 1)[0];
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    return this.#device.createBuffer({
      label: 'gatewise readback',
      size,
      usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
    });
  }

  dispose(): void {
    for (const buffer of this.#free.splice(0)) buffer.destroy();
  }
}
