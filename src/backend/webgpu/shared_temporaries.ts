// Temporary memory that all prepared plans of a device share: they run one after the other on its queue, and no run reads what an
// earlier run left there. So many plans, as of batches of many lengths, take the temporaries of the largest.
import { createStorage, type WebGPUBuffer } from './buffers.ts';

/** The sizes of a plan's temporaries, in elements, largest first: the n-th of them lies in the n-th shared buffer. */
export type TemporarySizes = readonly number[];

export class SharedTemporaries {
  readonly #device: GPUDevice;
  readonly #users = new Set<TemporarySizes>();
  readonly #buffers: WebGPUBuffer[] = [];
  #version = 0;
  #isEncoded = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Changes when any buffer is replaced. */
  get version(): number {
    return this.#version;
  }

  at(n: number): WebGPUBuffer {
    return this.#buffers[n];
  }

  /** Makes room for a plan, until `release`. @throws GatewiseError `unsupported` if a size is above the limits of the device. */
  reserve(sizes: TemporarySizes): void {
    sizes.forEach((size, n) => {
      if (n >= this.#buffers.length || this.#buffers[n].size < size) this.#replace(n, size);
    });
    this.#users.add(sizes);
  }

  /** Gives back what only this plan needs. */
  release(sizes: TemporarySizes): void {
    if (!this.#users.delete(sizes)) return;
    for (let n = sizes.length - 1; n >= 0; n--) {
      const needed = Math.max(0, ...[...this.#users].map((other) => other[n] ?? 0));
      if (needed > 0) {
        // Only if that frees much, since each plan makes its bind groups anew.
        if (2 * needed < this.#buffers[n].size) this.#replace(n, needed);
        continue;
      }
      this.#free(this.#buffers[n]);
      this.#buffers.length = n;
    }
  }

  #replace(n: number, size: number): void {
    const buffer = createStorage(this.#device, size, 'temporary');
    if (n < this.#buffers.length) this.#free(this.#buffers[n]);
    this.#buffers[n] = buffer;
    this.#version++;
  }

  /** Commands that an application has recorded and not yet submitted may bind a buffer, so the garbage collector frees it then. */
  #free(buffer: WebGPUBuffer): void {
    if (!this.#isEncoded) buffer.destroy();
  }

  /** Tells that commands of an application bind the buffers from now on. */
  markEncoded(): void {
    this.#isEncoded = true;
  }
}
