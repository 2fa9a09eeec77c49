// Counts what a library asks of WebGPU, by wrapping the API: the same for every contestant.

export interface Counts {
  readonly dispatches: number;
  readonly passes: number;
  readonly submits: number;
  readonly bindGroups: number;
  readonly pipelines: number;
  readonly buffers: number;
  readonly bufferBytes: number;
  /** `writeBuffer` and the bytes written so. */
  readonly writes: number;
  readonly writtenBytes: number;
  /** `mapAsync`: waits for the device. */
  readonly maps: number;
}

type Tally = { -readonly [K in keyof Counts]: Counts[K] };

/** No calls at all. */
export const noCounts = (): Tally => ({
  dispatches: 0,
  passes: 0,
  submits: 0,
  bindGroups: 0,
  pipelines: 0,
  buffers: 0,
  bufferBytes: 0,
  writes: 0,
  writtenBytes: 0,
  maps: 0,
});

/** The classes whose methods are wrapped: the global ones of a browser, those of the package `webgpu` in Node. */
export type GPUClasses = Pick<
  typeof globalThis,
  'GPUDevice' | 'GPUQueue' | 'GPUCommandEncoder' | 'GPUComputePassEncoder' | 'GPUBuffer'
>;

type Method = (this: object, ...args: readonly unknown[]) => unknown;
/** Sees a call and what it gave. */
type Watch = (args: readonly unknown[], result: unknown, self: object) => void;

const bytesOf = (data: unknown): number =>
  ArrayBuffer.isView(data) || data instanceof ArrayBuffer ? data.byteLength : 0;

export class ApiCounter {
  readonly #classes: GPUClasses;
  /** Sizes of buffers that were made while counting and are not destroyed. */
  readonly #alive = new Map<object, number>();
  #tally = noCounts();
  #restore: (() => void)[] = [];

  constructor(classes: GPUClasses = globalThis) {
    this.#classes = classes;
  }

  /** Counts what is called while an action runs. */
  async during<T>(
    action: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly counts: Counts; readonly aliveBytes: number }> {
    this.start();
    let counted: ReturnType<ApiCounter['stop']> | undefined;
    try {
      const result = await action();
      counted = this.stop();
      return { result, ...counted };
    } finally {
      if (counted === undefined) this.stop();
    }
  }

  /** From here on calls are counted, until `stop`. */
  start(): void {
    if (this.#restore.length > 0) throw new Error('counters: already counting');
    this.#tally = noCounts();
    this.#alive.clear();
    try {
      this.#wrapAll();
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  #wrapAll(): void {
    const count =
      (name: keyof Counts): Watch =>
      () =>
        (this.#tally[name] += 1);
    const { GPUDevice, GPUQueue, GPUCommandEncoder, GPUComputePassEncoder, GPUBuffer } = this.#classes;
    this.#wrap(GPUComputePassEncoder, 'dispatchWorkgroups', count('dispatches'));
    this.#wrap(GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', count('dispatches'));
    this.#wrap(GPUCommandEncoder, 'beginComputePass', count('passes'));
    this.#wrap(GPUQueue, 'submit', count('submits'));
    this.#wrap(GPUQueue, 'writeBuffer', ([, , data, offset = 0, size]) => {
      this.#tally.writes += 1;
      // Offset and size count elements of a typed array, and bytes of a buffer.
      const unit =
        ArrayBuffer.isView(data) && 'BYTES_PER_ELEMENT' in data ? Number(data.BYTES_PER_ELEMENT) : 1;
      this.#tally.writtenBytes +=
        size === undefined ? bytesOf(data) - Number(offset) * unit : Number(size) * unit;
    });
    this.#wrap(GPUDevice, 'createBindGroup', count('bindGroups'));
    this.#wrap(GPUDevice, 'createComputePipeline', count('pipelines'));
    this.#wrap(GPUDevice, 'createComputePipelineAsync', count('pipelines'));
    this.#wrap(GPUDevice, 'createBuffer', (_, buffer) => {
      if (!(buffer instanceof GPUBuffer)) return;
      this.#tally.buffers += 1;
      this.#tally.bufferBytes += buffer.size;
      this.#alive.set(buffer, buffer.size);
    });
    this.#wrap(GPUBuffer, 'destroy', (_, __, buffer) => this.#alive.delete(buffer));
    this.#wrap(GPUBuffer, 'mapAsync', count('maps'));
  }

  /** Puts the API back and says what was counted. */
  stop(): {
    readonly counts: Counts;
    /** Bytes of buffers made meanwhile and not destroyed. */ readonly aliveBytes: number;
  } {
    for (const undo of this.#restore.splice(0)) undo();
    const aliveBytes = [...this.#alive.values()].reduce((a, b) => a + b, 0);
    // The counter keeps no buffer from being collected.
    this.#alive.clear();
    return { counts: this.#tally, aliveBytes };
  }

  #wrap({ prototype }: { readonly prototype: object }, name: string, watch: Watch): void {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    const method = descriptor?.value as Method | undefined;
    if (descriptor === undefined || typeof method !== 'function')
      throw new Error(`counters: WebGPU has no ${name} here`);
    Object.defineProperty(prototype, name, {
      ...descriptor,
      value(this: object, ...args: readonly unknown[]): unknown {
        const result = method.apply(this, [...args]);
        watch(args, result, this);
        return result;
      },
    });
    this.#restore.push(() => Object.defineProperty(prototype, name, descriptor));
  }
}
