// Compute pipelines, cached by kernel, template and constants for the device's lifetime.
import { GatewiseError } from '../../core/errors.ts';
import { expand } from '../../core/wgsl_template.ts';
import type { Dispatch } from './dispatch.ts';
import { COMPUTE_STAGE } from './flags.ts';

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** The complete WGSL of a dispatch, as passed to the device. */
function sourceOf({ kernel, template }: Dispatch): string {
  return expand(kernel.code, template);
}

export class Pipelines {
  readonly #device: GPUDevice;
  readonly #known = new Map<string, Pipeline>();
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #report: (error: GatewiseError) => void;

  /** @param report Called for shaders that fail to compile. */
  constructor(device: GPUDevice, report: (error: GatewiseError) => void) {
    this.#device = device;
    this.#report = report;
  }

  for(dispatch: Dispatch): Pipeline {
    const { kernel, constants } = dispatch;
    const names = Object.keys(kernel.bindings).filter((name) => name in dispatch.bindings);
    const code = sourceOf(dispatch);
    const key = JSON.stringify([kernel.name, names, constants, code]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const layout = this.#device.createBindGroupLayout({
      label: `gatewise ${kernel.name}`,
      entries: [
        {
          binding: kernel.uniforms.binding,
          visibility: COMPUTE_STAGE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: kernel.uniforms.size },
        },
        ...names.map((name): GPUBindGroupLayoutEntry => {
          const { binding, access } = kernel.bindings[name];
          const isRead = access === 'read' || dispatch.template.readOnly?.includes(name) === true;
          return {
            binding,
            visibility: COMPUTE_STAGE,
            buffer: { type: isRead ? 'read-only-storage' : 'storage' },
          };
        }),
      ],
    });
    const pipeline = this.#device.createComputePipeline({
      label: `gatewise ${kernel.name}`,
      layout: this.#device.createPipelineLayout({
        label: `gatewise ${kernel.name}`,
        bindGroupLayouts: [layout],
      }),
      compute: {
        module: this.#module(kernel.name, code),
        entryPoint: kernel.name,
        constants: { ...constants },
      },
    });
    const made = { pipeline, layout };
    this.#known.set(key, made);
    return made;
  }

  #module(name: string, code: string): GPUShaderModule {
    const known = this.#modules.get(code);
    if (known !== undefined) return known;
    const module = this.#device.createShaderModule({ label: `gatewise ${name}`, code });
    void module.getCompilationInfo().then(({ messages }) => {
      const errors = messages.filter(({ type }) => type === 'error');
      if (errors.length === 0) return;
      const lines = code.split('\n');
      const text = errors.map(
        ({ lineNum, linePos, message }) =>
          `${lineNum}:${linePos} ${message}\n    ${lines[lineNum - 1] ?? ''}`,
      );
      this.#report(new GatewiseError('device', `${name}.wgsl does not compile:\n${text.join('\n')}`));
    });
    this.#modules.set(code, module);
    return module;
  }
}
