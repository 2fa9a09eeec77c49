// Runs samples of ops on the device and against the CPU reference: as planned, in every variant, for other kinds of devices,
// and twice, for the same bits.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { createRuntime, type Runtime, type Tensor } from '../../src/index.ts';
import { targetOf } from '../../src/backend/webgpu/adapter_info.ts';
import type { WebGPUBackend } from '../../src/backend/webgpu/webgpu_backend.ts';
import { GPU_TARGET, SOFTWARE_TARGET, type Dispatch, type Target } from '../../src/graph/launch.ts';
import { Node, nodesOf, Value, type Op, type Tolerance } from '../../src/graph/value.ts';
import { dispatchesOf, makePlan, variantsOf } from '../../src/plan/plan.ts';
import { deviceSamples, outputsOf, samples, tensorsOf } from './op_samples.ts';
import { keptSamples } from './packed_samples.ts';
import { type Sample } from './sample.ts';

export type Numbers = Float32Array | Float64Array | Int32Array;

/** The results of a sample, once for each of `times` runs of one plan. */
export async function run(runtime: Runtime, sample: Sample, times: number): Promise<Numbers[][]> {
  const compiled = runtime.compile((...values: Value[]) => outputsOf(sample, values));
  const inputs = tensorsOf(runtime, sample);
  const runs: Numbers[][] = [];
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

/** The largest error as a share of what the tolerance allows: 1 is just right. */
export function worst(got: Numbers, expected: Numbers, { absolute, relative }: Tolerance): number {
  let scale = 1;
  for (const x of expected) scale = Math.max(scale, Math.abs(x));
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(got[i] - expected[i]);
    if (error === 0) continue;
    const share = error / (absolute * scale + relative * Math.abs(expected[i]));
    if (!(share <= most)) most = Number.isNaN(share) ? Infinity : share;
  }
  return most;
}

export function sameBits(a: Numbers, b: Numbers): boolean {
  const [x, y] = [a, b].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
  return x.every((bits, i) => bits === y[i]);
}

/** That of the op with the widest, since its error passes through the others. */
export function toleranceOf(sample: Sample): Tolerance {
  const values = sample.inputs.map((input) => new Value(input));
  const used = nodesOf(outputsOf(sample, values)).map(({ op }) => op.tolerance);
  return {
    absolute: Math.max(0, ...used.map(({ absolute }) => absolute)),
    relative: Math.max(0, ...used.map(({ relative }) => relative)),
  };
}

/** An op launched for another kind of device, and in a variant where that can do it. */
export function forced(op: Op, target: Target, variant: string | undefined): Op {
  const { variants, gpu, ...rest } = op;
  return {
    ...rest,
    gpu: (placed): Dispatch[] => {
      const names = variants?.(placed, target).names ?? [];
      return gpu?.(placed, target, names.find((name) => name === variant) ?? names[0]) ?? [];
    },
  };
}

/** The same graph with other ops of that name. */
export function replaced(name: string, outputs: readonly Value[], replace: (op: Op) => Op): Value[] {
  const moved = new Map<Value, Value>();
  const at = (value: Value): Value => moved.get(value) ?? value;
  for (const { op, attrs, inputs, outputs: made } of nodesOf(outputs)) {
    const copy = new Node(op.name === name ? replace(op) : op, attrs, inputs.map(at), made);
    made.forEach((output, i) => moved.set(output, copy.outputs[i]));
  }
  return outputs.map(at);
}

export interface Way {
  readonly name: string;
  readonly sample: Sample;
  readonly target: Target;
  readonly variant: string | undefined;
  /** Names of the kernels that the op launches so. */
  readonly kernels: readonly string[];
}

/** Ways in which the op of that name can be run in a sample for these targets: once each where two launch the same. */
export function waysOf(name: string, sample: Sample, targets: readonly Target[]): Way[] {
  const values = sample.inputs.map((input) => new Value(input));
  const steps = makePlan(values, outputsOf(sample, values)).steps.filter(({ op }) => op.name === name);
  const launched = new Set<string>();
  return targets.flatMap((target) => {
    const names = new Set(steps.flatMap((step) => variantsOf(step, target)?.names ?? []));
    const variants: (string | undefined)[] = names.size === 0 ? [undefined] : [...names];
    return variants.flatMap((variant) => {
      const dispatches = steps.flatMap((step) =>
        dispatchesOf({ ...step, op: forced(step.op, target, variant) }, target, undefined),
      );
      const text = JSON.stringify(dispatches, (key, value: unknown) =>
        key === 'kernel' ? (value as Dispatch['kernel']).name : value,
      );
      if (launched.has(text)) return [];
      launched.add(text);
      const kernels = [...new Set(dispatches.map(({ kernel }) => kernel.name))];
      return [{ name, sample, target, variant, kernels }];
    });
  });
}

/** What is wrong with the results of a sample on the device: nothing, if all is well. @param build of it, for the device */
export async function faultsOf(
  gpu: Runtime,
  cpu: Runtime,
  sample: Sample,
  build: Sample['build'] = sample.build,
): Promise<string[]> {
  const [expected] = await run(cpu, sample, 1);
  const [first, second] = await run(gpu, { ...sample, build }, 2);
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

/** The sample as this way has it. */
export const buildOf =
  ({ name, sample, target, variant }: Way): Sample['build'] =>
  (...values) =>
    replaced(name, outputsOf(sample, values), (op) => forced(op, target, variant));

export const KINDS: ReadonlyMap<Target, string> = new Map([
  [GPU_TARGET, 'a GPU'],
  [SOFTWARE_TARGET, 'a software adapter'],
  [{ ...SOFTWARE_TARGET, lanes: 4 }, 'subgroups of four'],
]);

export const titleOf = ({ name, sample, target, variant }: Way): string =>
  `${name}: ${sample.name}, for ${KINDS.get(target)}${variant === undefined ? '' : `, ${variant}`}`;

/** Whether the device of a runtime compiles what is for that target: kernels with subgroups need some. */
export const compiles = ({ backend }: Runtime, { lanes }: Target): boolean =>
  lanes === undefined || lanes === targetOf((backend as WebGPUBackend).device).lanes;

/** Whether a workgroup loads its weights once. */
const isKeeping = (variant: string | undefined): boolean => variant?.startsWith('sequence_') === true;

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
  const kept = (keptSamples[name] ?? []).flatMap((sample) =>
    waysOf(name, sample, [GPU_TARGET]).filter(({ variant }) => isKeeping(variant)),
  );
  return [...trials, ...kept];
}

/** Whether an op can be launched in several ways. */
export const isChoosing = ({ gpu }: Op): boolean => (gpu?.length ?? 0) > 1;

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
    if (!compiles(gpu, way.target)) return;
    expect(await faultsOf(gpu, cpu, way.sample, buildOf(way))).toEqual([]);
  });
}
