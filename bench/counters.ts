// Counts a library's calls of WebGPU by wrapping the API, for every contestant alike.

export interface Counts {
  readonly dispatches: number;
  readonly submits: number;
  readonly bindGroups: number;
  readonly pipelines: number;
}

type Tally = { -readonly [K in keyof Counts]: Counts[K] };

export const noCounts = (): Tally => ({ dispatches: 0, submits: 0, bindGroups: 0, pipelines: 0 });

/** The classes whose methods are wrapped: the global ones of a browser, those of the package `webgpu` in Node. */
export type GPUClasses = Pick<
  typeof globalThis,
  'GPUDevice' | 'GPUQueue' | 'GPUComputePassEncoder' | 'GPUBuffer'
>;

type Method = (this: object, ...args: readonly unknown[]) => unknown;

export class ApiCounter {
  readonly #classes: GPUClasses;
  #restore: (() => void)[] = [];

  constructor(classes: GPUClasses = globalThis) {
    this.#classes = classes;
  }

  /** Counts the calls while an action runs, and the bytes of the buffers that it creates and does not destroy. */
  async during<T>(action: () => Promise<T>) {
    if (this.#restore.length > 0) throw new Error('counters: already counting');
    const counts = noCounts();
    const alive = new Map<unknown, number>();
    try {
      this.#wrapAll(counts, alive);
      const result = await action();
      return { result, counts: counts as Counts, aliveBytes: [...alive.values()].reduce((a, b) => a + b, 0) };
    } finally {
      for (const undo of this.#restore.splice(0)) undo();
    }
  }

  #wrapAll(counts: Tally, alive: Map<unknown, number>): void {
    const { GPUDevice, GPUQueue, GPUComputePassEncoder, GPUBuffer } = this.#classes;
    const count =
      (name: keyof Counts): (() => void) =>
      () =>
        counts[name]++;
    this.#wrap(GPUComputePassEncoder, 'dispatchWorkgroups', count('dispatches'));
    this.#wrap(GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', count('dispatches'));
    this.#wrap(GPUQueue, 'submit', count('submits'));
    this.#wrap(GPUDevice, 'createBindGroup', count('bindGroups'));
    this.#wrap(GPUDevice, 'createComputePipeline', count('pipelines'));
    this.#wrap(GPUDevice, 'createComputePipelineAsync', count('pipelines'));
    this.#wrap(GPUDevice, 'createBuffer', (buffer) => {
      if (buffer instanceof GPUBuffer) alive.set(buffer, buffer.size);
    });
    this.#wrap(GPUBuffer, 'destroy', (_, buffer) => alive.delete(buffer));
  }

  /** @param watch Receives the result of a call and the object of the call. */
  #wrap(
    { prototype }: { readonly prototype: object },
    name: string,
    watch: (result: unknown, self: object) => void,
  ): void {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    const method = descriptor?.value as Method | undefined;
    if (descriptor === undefined || typeof method !== 'function')
      throw new Error(`counters: WebGPU has no ${name} here`);
    Object.defineProperty(prototype, name, {
      ...descriptor,
      value(this: object, ...args: readonly unknown[]): unknown {
        const result = method.apply(this, [...args]);
        watch(result, this);
        return result;
      },
    });
    this.#restore.push(() => Object.defineProperty(prototype, name, descriptor));
  }
}
