// Compute pipelines, one for each kernel, set of values for its template and set of constants, cached while the device lives. The
// device compiles them beside other work, all of a plan at once.
import { GatewiseError } from '../../core/errors.ts';
import { expand } from '../../core/wgsl_template.ts';
import type { Dispatch } from './dispatch.ts';
import { COMPUTE_STAGE } from './flags.ts';

/** The WGSL of a dispatch with its template expanded, as the device compiles it. */
export function sourceOf({ kernel, template }: Dispatch): string {
  return expand(kernel.code, template);
}

/** How many pipelines the device is compiling, and how many of these are compiled. */
export interface CompileProgress {
  readonly compiled: number;
  readonly total: number;
}

export class Pipeline {
  readonly layout: GPUBindGroupLayout;
  /** Settles when the device has compiled the pipeline or refused it. */
  readonly compiling: Promise<void>;
  readonly #device: GPUDevice;
  readonly #descriptor: GPUComputePipelineDescriptor;
  #compiled: GPUComputePipeline | undefined;

  /** @param report Called if the device refuses the pipeline. */
  constructor(
    device: GPUDevice,
    layout: GPUBindGroupLayout,
    descriptor: GPUComputePipelineDescriptor,
    report: (cause: Error) => Promise<void>,
  ) {
    this.#device = device;
    this.layout = layout;
    this.#descriptor = descriptor;
    this.compiling = device
      .createComputePipelineAsync(descriptor)
      .then((pipeline) => void (this.#compiled ??= pipeline), report);
  }

  get isCompiled(): boolean {
    return this.#compiled !== undefined;
  }

  /** The pipeline. The call blocks until it is compiled. */
  get compiled(): GPUComputePipeline {
    return (this.#compiled ??= this.#device.createComputePipeline(this.#descriptor));
  }
}

export class Pipelines {
  readonly #device: GPUDevice;
  readonly #report: (error: GatewiseError) => void;
  readonly #onCompile: (progress: CompileProgress) => void;
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #modules = new Map<
    string,
    { readonly module: GPUShaderModule; readonly checked: Promise<void> }
  >();
  #compiled = 0;
  #total = 0;

  /**
   * @param report Called with an error for a shader or a pipeline that does not compile.
   * @param onCompile Called when a pipeline is asked for and when it is compiled. The counts start again when all are compiled.
   */
  constructor(
    device: GPUDevice,
    report: (error: GatewiseError) => void,
    onCompile: (progress: CompileProgress) => void,
  ) {
    this.#device = device;
    this.#report = report;
    this.#onCompile = onCompile;
  }

  /** The pipeline of a dispatch, which the device begins to compile. Its layout has the bindings that the dispatch names. */
  of(dispatch: Dispatch): Pipeline {
    const { kernel, constants, template } = dispatch;
    const names = Object.keys(kernel.bindings).filter((name) => name in dispatch.bindings);
    const code = sourceOf(dispatch);
    const key = JSON.stringify([kernel.name, names, constants, code]);
    const cached = this.#pipelines.get(key);
    if (cached !== undefined) return cached;
    const label = `gatewise ${kernel.name}`;
    const entry = (binding: number, buffer: GPUBufferBindingLayout): GPUBindGroupLayoutEntry => ({
      binding,
      visibility: COMPUTE_STAGE,
      buffer,
    });
    const { binding, size } = kernel.uniforms;
    const layout = this.#device.createBindGroupLayout({
      label,
      entries: [
        entry(binding, { type: 'uniform', hasDynamicOffset: true, minBindingSize: size }),
        ...names.map((name) => {
          const { binding, access } = kernel.bindings[name];
          const isRead = access === 'read' || template.readOnly?.includes(name) === true;
          return entry(binding, { type: isRead ? 'read-only-storage' : 'storage' });
        }),
      ],
    });
    const { module, checked } = this.#moduleOf(kernel.name, code);
    const pipeline = new Pipeline(
      this.#device,
      layout,
      {
        label,
        layout: this.#device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: kernel.name, constants: { ...constants } },
      },
      async (cause) => {
        // An error of the shader says more, and comes first.
        await checked;
        this.#report(
          new GatewiseError('device', `${kernel.name}: the device made no pipeline: ${cause.message}`, {
            cause,
          }),
        );
      },
    );
    this.#pipelines.set(key, pipeline);
    this.#count(pipeline);
    return pipeline;
  }

  #count({ compiling }: Pipeline): void {
    this.#total++;
    this.#onCompile({ compiled: this.#compiled, total: this.#total });
    void compiling.then(() => {
      this.#compiled++;
      const progress = { compiled: this.#compiled, total: this.#total };
      if (this.#compiled === this.#total) this.#compiled = this.#total = 0;
      this.#onCompile(progress);
    });
  }

  #moduleOf(
    name: string,
    code: string,
  ): { readonly module: GPUShaderModule; readonly checked: Promise<void> } {
    const cached = this.#modules.get(code);
    if (cached !== undefined) return cached;
    const module = this.#device.createShaderModule({ label: `gatewise ${name}`, code });
    const checked = module.getCompilationInfo().then(({ messages }) => {
      const errors = messages.filter(({ type }) => type === 'error');
      if (errors.length === 0) return;
      const lines = code.split('\n');
      const text = errors.map(
        ({ lineNum, linePos, message }) =>
          `${lineNum}:${linePos} ${message}\n    ${lines[lineNum - 1] ?? ''}`,
      );
      this.#report(new GatewiseError('device', `${name}.wgsl does not compile:\n${text.join('\n')}`));
    });
    const created = { module, checked };
    this.#modules.set(code, created);
    return created;
  }
}
