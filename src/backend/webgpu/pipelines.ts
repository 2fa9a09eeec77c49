// Compute pipelines, one for each kernel, set of values for its template and set of constants, cached while the device lives.
import { GatewiseError } from '../../core/errors.ts';
import { expand } from '../../core/wgsl_template.ts';
import type { Dispatch } from './dispatch.ts';
import { COMPUTE_STAGE } from './flags.ts';

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** The WGSL of a dispatch with its template expanded, as the device compiles it. */
export function sourceOf({ kernel, template }: Dispatch): string {
  return expand(kernel.code, template);
}

/** The pipeline of a dispatch. Its layout has the bindings that the dispatch names. */
export type Pipelines = (dispatch: Dispatch) => Pipeline;

/** @param report Called with an error for a shader that does not compile. */
export function createPipelines(device: GPUDevice, report: (error: GatewiseError) => void): Pipelines {
  const pipelines = new Map<string, Pipeline>();
  const modules = new Map<string, GPUShaderModule>();

  const moduleOf = (name: string, code: string): GPUShaderModule => {
    const cached = modules.get(code);
    if (cached !== undefined) return cached;
    const module = device.createShaderModule({ label: `gatewise ${name}`, code });
    void module.getCompilationInfo().then(({ messages }) => {
      const errors = messages.filter(({ type }) => type === 'error');
      if (errors.length === 0) return;
      const lines = code.split('\n');
      const text = errors.map(
        ({ lineNum, linePos, message }) =>
          `${lineNum}:${linePos} ${message}\n    ${lines[lineNum - 1] ?? ''}`,
      );
      report(new GatewiseError('device', `${name}.wgsl does not compile:\n${text.join('\n')}`));
    });
    modules.set(code, module);
    return module;
  };

  return (dispatch) => {
    const { kernel, constants, template } = dispatch;
    const label = `gatewise ${kernel.name}`;
    const names = Object.keys(kernel.bindings).filter((name) => name in dispatch.bindings);
    const code = sourceOf(dispatch);
    const key = JSON.stringify([kernel.name, names, constants, code]);
    const cached = pipelines.get(key);
    if (cached !== undefined) return cached;
    const entry = (binding: number, buffer: GPUBufferBindingLayout): GPUBindGroupLayoutEntry => ({
      binding,
      visibility: COMPUTE_STAGE,
      buffer,
    });
    const { binding, size } = kernel.uniforms;
    const layout = device.createBindGroupLayout({
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
    const module = moduleOf(kernel.name, code);
    const pipeline = device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: kernel.name, constants: { ...constants } },
    });
    const created = { pipeline, layout };
    pipelines.set(key, created);
    return created;
  };
}
