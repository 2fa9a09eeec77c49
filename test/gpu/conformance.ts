// Conformance tests: samples of ops on the device against the CPU reference, as planned, in every variant and for other
// kinds of devices. Each runs twice and must give the same bits.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { createRuntime, type Runtime, type Tensor } from '../../src/index.ts';
import {
  deviceInfoOf,
  GPU_DEVICE,
  SOFTWARE_DEVICE,
  type DeviceInfo,
} from '../../src/backend/webgpu/device_info.ts';
import type { Dispatch } from '../../src/backend/webgpu/dispatch.ts';
import { targetOf, webgpuKernels } from '../../src/backend/webgpu/kernels/index.ts';
import type { WebGPUKernel } from '../../src/backend/webgpu/kernels/kernel.ts';
import { Launcher } from '../../src/backend/webgpu/launches.ts';
import type { WebGPUBackend } from '../../src/backend/webgpu/webgpu_backend.ts';
import type { NumberArray } from '../../src/core/shape.ts';
import { Value, type Op } from '../../src/graph/value.ts';
import { runtimeWith } from '../runtime_with.ts';
import { planOf } from '../webgpu_plan.ts';
import { outputsOf, tensorsOf, type Sample } from './sample.ts';
import { deviceSamples, persistentSamples, samples } from './samples/index.ts';
import { toleranceOf, worst } from './tolerance.ts';

/** The results of a sample, once for each of `times` runs of one plan. */
export async function run(runtime: Runtime, sample: Sample, times: number): Promise<NumberArray[][]> {
  const compiled = runtime.compile((...values: Value[]) => outputsOf(sample, values));
  const inputs = tensorsOf(runtime, sample);
  const runs: NumberArray[][] = [];
  for (let i = 0; i < times; i++) {
    const outputs: readonly Tensor[] = compiled(...inputs);
    runs.push(await Promise.all(outputs.map((output) => output.read())));
    // The next run reuses the buffers; their old contents must have no effect.
    for (const output of outputs) output.dispose();
  }
  for (const input of inputs) input.dispose();
  compiled.dispose();
  return runs;
}

export function sameBits(a: NumberArray, b: NumberArray): boolean {
  const [x, y] = [a, b].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
  return x.every((bits, i) => bits === y[i]);
}

/** The kernel of an op, launched as for another kind of device, in the variant where that can compute the step. */
function forced(name: string, device: DeviceInfo, variant: string | undefined): WebGPUKernel {
  const kernel = kernelOf(name);
  return {
    ...kernel,
    variants: (placed) => {
      const { names = ['only'], kind = '' } = kernel.variants?.(placed, device) ?? {};
      return { names: [names.find((other) => other === variant) ?? names[0]], kind } as const;
    },
    dispatches: (placed, _, chosen) => kernel.dispatches(placed, device, chosen),
  };
}

const kernelOf = (name: string): WebGPUKernel =>
  webgpuKernels.find(({ op }) => op.name === name) as WebGPUKernel;

export interface Configuration {
  readonly name: string;
  readonly sample: Sample;
  readonly device: DeviceInfo;
  readonly variant: string | undefined;
  /** Names of the WGSL kernels that the op launches. */
  readonly kernels: readonly string[];
}

/** The different configurations of an op in a sample: its variants for these devices, without those that launch the same. */
export function configurationsOf(
  name: string,
  sample: Sample,
  devices: readonly DeviceInfo[],
): Configuration[] {
  const values = sample.inputs.map((input) => new Value(input));
  const steps = planOf(values, outputsOf(sample, values)).steps.filter(({ op }) => op.name === name);
  // The results of the op are views: nothing is launched.
  if (steps.length === 0) return [];
  const launched = new Set<string>();
  return devices.flatMap((device) => {
    const names = new Set(steps.flatMap((step) => new Launcher(device).variantsOf(step)?.names ?? []));
    const variants: (string | undefined)[] = names.size === 0 ? [undefined] : [...names];
    return variants.flatMap((variant) => {
      const launcher = new Launcher(device, targetOf([...webgpuKernels, forced(name, device, variant)]));
      const dispatches = steps.flatMap((step) => launcher.dispatchesOf(step));
      const text = JSON.stringify(dispatches, (key, value: unknown) =>
        key === 'kernel' ? (value as Dispatch['kernel']).name : value,
      );
      if (launched.has(text)) return [];
      launched.add(text);
      const kernels = [...new Set(dispatches.map(({ kernel }) => kernel.name))];
      return [{ name, sample, device, variant, kernels }];
    });
  });
}

/** The faults in a sample's results on the device. */
export async function faultsOf(gpu: Runtime, cpu: Runtime, sample: Sample): Promise<string[]> {
  const [expected] = await run(cpu, sample, 1);
  const [first, second] = await run(gpu, sample, 2);
  const tolerance = toleranceOf(sample);
  return expected.flatMap((numbers, i) => {
    const faults: string[] = [];
    if (!numbers.every(Number.isFinite)) faults.push(`output ${i}: the reference is not finite`);
    const share = worst(first[i], numbers, tolerance);
    if (share > 1) faults.push(`output ${i}: off by ${share} times the tolerance`);
    if (!sameBits(second[i], first[i])) faults.push(`output ${i}: other bits when run again`);
    return faults;
  });
}

/** A runtime on the same device that runs an op in this configuration. */
export const runtimeOf = (gpu: Runtime, { name, device, variant }: Configuration): Promise<Runtime> =>
  runtimeWith([forced(name, device, variant)], { device: (gpu.backend as WebGPUBackend).device });

export const KINDS: ReadonlyMap<DeviceInfo, string> = new Map([
  [GPU_DEVICE, 'a GPU'],
  [SOFTWARE_DEVICE, 'a software adapter'],
  [{ ...SOFTWARE_DEVICE, subgroupSize: 4 }, 'subgroups of four'],
]);

export const titleOf = ({ name, sample, device, variant }: Configuration): string =>
  `${name}: ${sample.name}, for ${KINDS.get(device)}${variant === undefined ? '' : `, ${variant}`}`;

/** Whether a runtime's device can run kernels made for another: those with subgroups need subgroups of the same size. */
export const compiles = ({ backend }: Runtime, { subgroupSize }: DeviceInfo): boolean =>
  subgroupSize === undefined || subgroupSize === deviceInfoOf((backend as WebGPUBackend).device).subgroupSize;

/** Whether a variant loads the weights once per launch. */
const loadsWeightsOnce = (variant: string | undefined): boolean =>
  variant === 'persistent_workgroup' || variant === 'persistent_registers';

/** The number of configurations that are tested of an op, about. */
const TRIALS = 200;

/** Configurations of an op to test. Samples take turns, so that together they cover all configurations. */
export function trialsOf(name: string): Configuration[] {
  const all = (samples[name] ?? []).map((sample) => configurationsOf(name, sample, [...KINDS.keys()]));
  const each = Math.max(1, Math.round(TRIALS / all.length));
  const trials = all.flatMap((own, i) => {
    const from = (i * 7) % own.length;
    return [...own.slice(from), ...own.slice(0, from)].slice(0, each);
  });
  const persistent = (persistentSamples[name] ?? []).flatMap((sample) =>
    configurationsOf(name, sample, [GPU_DEVICE]).filter(({ variant }) => loadsWeightsOnce(variant)),
  );
  return [...trials, ...persistent];
}

/** Whether the launches of an op depend on the device. */
export const dependsOnDevice = ({ name }: Op): boolean => (kernelOf(name)?.dispatches.length ?? 0) > 1;

/** Tests every sample of these ops, and their variants and launches for other kinds of devices. */
export function testOps(ops: readonly Op[]): void {
  let gpu: Runtime;
  let cpu: Runtime;
  const create = async (): Promise<void> => {
    gpu = await createRuntime({ backend: 'webgpu' });
  };
  beforeAll(async () => {
    await create();
    cpu = await createRuntime({ backend: 'cpu' });
  });
  // A device reports an error again in later tests, so a failed test is followed by a new device.
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    gpu.dispose();
    await create();
  });
  afterAll(() => {
    gpu.dispose();
    cpu.dispose();
  });

  describe.each(ops.map(({ name }) => name))('%s', (op) => {
    const list = [...(samples[op] ?? []), ...(deviceSamples[op] ?? [])];
    test.each(list.map((sample) => [sample.name, sample] as const))('%s', async (_, sample) => {
      expect(await faultsOf(gpu, cpu, sample)).toEqual([]);
    });
  });

  const configurations = ops.filter(dependsOnDevice).flatMap(({ name }) => trialsOf(name));
  test.each(configurations.map((configuration) => [titleOf(configuration), configuration] as const))(
    '%s',
    async (_, configuration) => {
      if (!compiles(gpu, configuration.device)) return;
      using other = await runtimeOf(gpu, configuration);
      expect(await faultsOf(other, cpu, configuration.sample)).toEqual([]);
    },
  );
}
