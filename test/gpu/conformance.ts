// Runs samples of ops on the device and against the CPU reference: as planned, in every variant, for other kinds of devices,
// and twice, for the same bits.
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
    // Memory that was used before must not show in what comes next.
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

/** The kernel of an op as launched for another kind of device, and in a variant where it can compute the step. */
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

export interface Way {
  readonly name: string;
  readonly sample: Sample;
  readonly device: DeviceInfo;
  readonly variant: string | undefined;
  /** Names of the kernels that the op launches so. */
  readonly kernels: readonly string[];
}

/** Ways in which the op of that name can be run in a sample for these devices: once each where two launch the same. */
export function waysOf(name: string, sample: Sample, devices: readonly DeviceInfo[]): Way[] {
  const values = sample.inputs.map((input) => new Value(input));
  const steps = planOf(values, outputsOf(sample, values)).steps.filter(({ op }) => op.name === name);
  // Nothing to launch: an op whose results are views of what it reads.
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

/** Faults of a sample's results on the device. */
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

/** A runtime on the device of another that runs an op in this way. */
export const runtimeOf = (gpu: Runtime, { name, device, variant }: Way): Promise<Runtime> =>
  runtimeWith([forced(name, device, variant)], { device: (gpu.backend as WebGPUBackend).device });

export const KINDS: ReadonlyMap<DeviceInfo, string> = new Map([
  [GPU_DEVICE, 'a GPU'],
  [SOFTWARE_DEVICE, 'a software adapter'],
  [{ ...SOFTWARE_DEVICE, subgroupSize: 4 }, 'subgroups of four'],
]);

export const titleOf = ({ name, sample, device, variant }: Way): string =>
  `${name}: ${sample.name}, for ${KINDS.get(device)}${variant === undefined ? '' : `, ${variant}`}`;

/** Whether the device of a runtime compiles kernels for such a device: those with subgroups need subgroups of that size. */
export const compiles = ({ backend }: Runtime, { subgroupSize }: DeviceInfo): boolean =>
  subgroupSize === undefined || subgroupSize === deviceInfoOf((backend as WebGPUBackend).device).subgroupSize;

/** Whether a variant loads the weights once per launch. */
const loadsWeightsOnce = (variant: string | undefined): boolean =>
  variant === 'persistent_workgroup' || variant === 'persistent_registers';

/** Of an op, about. */
const TRIALS = 200;

/** Ways to run an op beside the one that is taken: of many samples each in a few ways more, and all of them together in each way. */
export function trialsOf(name: string): Way[] {
  const all = (samples[name] ?? []).map((sample) => waysOf(name, sample, [...KINDS.keys()]));
  const each = Math.max(1, Math.round(TRIALS / all.length));
  const trials = all.flatMap((own, i) => {
    const from = (i * 7) % own.length;
    return [...own.slice(from), ...own.slice(0, from)].slice(0, each);
  });
  const persistent = (persistentSamples[name] ?? []).flatMap((sample) =>
    waysOf(name, sample, [GPU_DEVICE]).filter(({ variant }) => loadsWeightsOnce(variant)),
  );
  return [...trials, ...persistent];
}

/** Whether the kernel of an op depends on the device. */
export const isChoosing = ({ name }: Op): boolean => (kernelOf(name)?.dispatches.length ?? 0) > 1;

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
  // What a device refuses once, it reports from then on: the tests after one that failed get another.
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

  const ways = ops.filter(isChoosing).flatMap(({ name }) => trialsOf(name));
  test.each(ways.map((way) => [titleOf(way), way] as const))('%s', async (_, way) => {
    if (!compiles(gpu, way.device)) return;
    using other = await runtimeOf(gpu, way);
    expect(await faultsOf(other, cpu, way.sample)).toEqual([]);
  });
}
