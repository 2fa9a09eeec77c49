// Every op on the device against its CPU reference, on awkward shapes, and the same bits twice.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import {
  createRuntime,
  GatewiseError,
  grad,
  valueAndGrad,
  type Runtime,
  type Tensor,
} from '../../src/index.ts';
import { add, mul, square, tanh } from '../../src/expr/arith.ts';
import { referenceTarget } from '../../src/backend/cpu/kernels/index.ts';
import type { CPUKernel } from '../../src/backend/cpu/kernels/kernel.ts';
import {
  deviceInfoOf,
  GPU_DEVICE,
  SOFTWARE_DEVICE,
  type DeviceInfo,
} from '../../src/backend/webgpu/device_info.ts';
import { targetOf, webgpuKernels, webgpuTarget } from '../../src/backend/webgpu/kernels/index.ts';
import type { WebGPUKernel } from '../../src/backend/webgpu/kernels/kernel.ts';
import type { WebGPUBackend } from '../../src/backend/webgpu/webgpu_backend.ts';
import { Value, type Op } from '../../src/graph/value.ts';
import { apply } from '../../src/ops/apply.ts';
import { gather, gatherOp } from '../../src/ops/gather.ts';
import { allOps } from '../../src/ops/index.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { weightProduct } from '../../src/ops/fake_quantize.ts';
import { recurrent } from '../../src/ops/recurrent_sequence.ts';
import { softmaxCrossEntropy } from '../../src/ops/softmax_cross_entropy.ts';
import { max, mean, reshape, slice, sum, transpose } from '../../src/ops/structure.ts';
import { gru } from '../../src/cells/gru.ts';
import { Launcher } from '../../src/backend/webgpu/launches.ts';
import { allCells, deviceSamples, outputsOf, samples, tensorsOf } from './op_samples.ts';
import { keptSamples } from './packed_samples.ts';
import { f32, i32, type Sample } from './sample.ts';
import { toleranceOf, worst } from './tolerance.ts';
import { projectionOf, runFused, runInputs, type RunSize } from '../recurrent_run.ts';
import { runtimeWith } from '../runtime_with.ts';
import { planOf } from '../webgpu_plan.ts';

type Numbers = Float32Array | Float64Array | Int32Array;

/** The results of a sample, once for each of `times` runs of one plan. */
async function run(runtime: Runtime, sample: Sample, times: number): Promise<Numbers[][]> {
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

function sameBits(a: Numbers, b: Numbers): boolean {
  const [x, y] = [a, b].map(({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length));
  return x.every((bits, i) => bits === y[i]);
}

describe.each(allOps.map(({ name }) => name))('%s', (op) => {
  // One for each op: what a device refuses once, it reports from then on.
  let gpu: Runtime;
  let cpu: Runtime;
  beforeAll(async () => {
    gpu = await createRuntime({ backend: 'webgpu' });
    cpu = await createRuntime({ backend: 'cpu' });
  });
  afterAll(() => {
    gpu.dispose();
    cpu.dispose();
  });

  const list = [...(samples[op] ?? []), ...(deviceSamples[op] ?? [])];
  test.each(list.map((sample) => [sample.name, sample] as const))('%s', async (_, sample) => {
    const [expected] = await run(cpu, sample, 1);
    const [first, second] = await run(gpu, sample, 2);
    const tolerance = toleranceOf(sample);
    expected.forEach((numbers, i) => {
      expect(numbers.every(Number.isFinite), `output ${i} of the reference is finite`).toBe(true);
      expect(
        worst(first[i], numbers, tolerance),
        `output ${i}, as a share of the tolerance`,
      ).toBeLessThanOrEqual(1);
      expect(sameBits(second[i], first[i]), `output ${i}, the same bits again`).toBe(true);
    });
  });
});

/** The kernel of an op as launched for another kind of device, and in a variant where it can compute the step. */
function forced(name: string, device: DeviceInfo, variant: string | undefined): WebGPUKernel {
  const kernel = webgpuKernels.find(({ op }) => op.name === name) as WebGPUKernel;
  return {
    ...kernel,
    variants: (placed) => {
      const { names = ['only'], kind = '' } = kernel.variants?.(placed, device) ?? {};
      return { names: [names.find((other) => other === variant) ?? names[0]], kind } as const;
    },
    dispatches: (placed, _, chosen) => kernel.dispatches(placed, device, chosen),
  };
}

interface Way {
  readonly name: string;
  readonly sample: Sample;
  readonly device: DeviceInfo;
  readonly variant: string | undefined;
}

/** Ways in which the op of that name can be run in a sample for these devices: once each where two launch the same. */
function waysOf(name: string, sample: Sample, devices: readonly DeviceInfo[]): Way[] {
  const values = sample.inputs.map((input) => new Value(input));
  const steps = planOf(values, outputsOf(sample, values)).steps.filter(({ op }) => op.name === name);
  const launched = new Set<string>();
  return devices.flatMap((device) => {
    const names = new Set(steps.flatMap((step) => new Launcher(device).variantsOf(step)?.names ?? []));
    const variants: (string | undefined)[] = names.size === 0 ? [undefined] : [...names];
    return variants.flatMap((variant) => {
      const launcher = new Launcher(device, targetOf([...webgpuKernels, forced(name, device, variant)]));
      const text = JSON.stringify(steps.flatMap((step) => launcher.dispatchesOf(step)));
      if (launched.has(text)) return [];
      launched.add(text);
      return [{ name, sample, device, variant }];
    });
  });
}

/** Whether a workgroup loads its weights once. */
const isKeeping = (variant: string | undefined): boolean =>
  variant === 'persistent_workgroup' || variant === 'persistent_registers';

/** Of an op, about. */
const TRIALS = 200;
/** A browser compiles with what Node compiles with, and takes longer: it tries every third sample. */
const STRIDE = 'document' in globalThis ? 3 : 1;

describe('every variant, and launches for other kinds of devices', () => {
  let gpu: Runtime;
  let cpu: Runtime;
  beforeAll(async () => {
    gpu = await createRuntime({ backend: 'webgpu' });
    cpu = await createRuntime({ backend: 'cpu' });
  });
  afterAll(() => {
    gpu.dispose();
    cpu.dispose();
  });

  const kinds = new Map<DeviceInfo, string>([
    [GPU_DEVICE, 'a GPU'],
    [SOFTWARE_DEVICE, 'a software adapter'],
    [{ ...SOFTWARE_DEVICE, subgroupSize: 4 }, 'subgroups of four'],
  ]);
  const titleOf = ({ name, sample, device, variant }: Way): string =>
    `${name}: ${sample.name}, for ${kinds.get(device)}${variant === undefined ? '' : `, ${variant}`}`;
  const choosing = webgpuKernels.filter(({ dispatches }) => dispatches.length > 1).map(({ op }) => op.name);
  const ways = choosing.flatMap((name) => {
    const all = (samples[name] ?? []).map((sample) => waysOf(name, sample, [...kinds.keys()]));
    // Of many samples each is run in a few ways more, and all of them together in each way.
    const each = Math.max(1, Math.round(TRIALS / all.length));
    return all.flatMap((own, i) => {
      const from = (i * 7) % own.length;
      if (i % STRIDE !== 0) return [];
      return [...own.slice(from), ...own.slice(0, from)].slice(0, each);
    });
  });
  const kept = Object.entries(keptSamples).flatMap(([name, list]) =>
    list.flatMap((sample) => waysOf(name, sample, [GPU_DEVICE]).filter(({ variant }) => isKeeping(variant))),
  );
  test('there are ops that choose, and samples of all their variants', () => {
    expect(choosing).toContain('matmul');
    const tried = new Set(ways.map(({ variant }) => variant));
    const names = ['registers', 'lanes', 'tiled', 'skinny', 'split_k', 'step'];
    const loops = [
      'subgroup',
      'split_k',
      'persistent_streamed',
      'persistent_workgroup',
      'persistent_registers',
    ];
    for (const name of [...names, ...loops]) expect(tried).toContain(name);
    // Each in both variants.
    expect(kept.length).toBe(2 * Object.values(keptSamples).flat().length);
  });

  test('no variant needs what its target has not', () => {
    const wrong = ways.filter(
      ({ variant, device }) => (variant === 'lanes' || variant === 'subgroup') && device.subgroupSize !== 4,
    );
    expect(wrong.map(titleOf)).toEqual([]);
  });

  test.each([...ways, ...kept].map((way) => [titleOf(way), way] as const))('%s', async (_, way) => {
    const { name, sample, device, variant } = way;
    const own = (gpu.backend as WebGPUBackend).device;
    // Kernels with subgroups do not compile elsewhere.
    if (device.subgroupSize !== undefined && device.subgroupSize !== deviceInfoOf(own).subgroupSize) return;
    const [expected] = await run(cpu, sample, 1);
    using other = await runtimeWith([forced(name, device, variant)], { device: own });
    const [first, second] = await run(other, sample, 2);
    expected.forEach((numbers, i) => {
      expect(worst(first[i], numbers, toleranceOf(sample))).toBeLessThanOrEqual(1);
      expect(sameBits(second[i], first[i]), 'the same bits again').toBe(true);
    });
  });
});

test('the measure of errors tells right from wrong', () => {
  const expected = Float32Array.of(1, 100);
  const tolerance = { absolute: 1e-6, relative: 1e-5 };
  expect(worst(Float32Array.of(1, 100.001), expected, tolerance)).toBeLessThanOrEqual(1);
  expect(worst(Float32Array.of(1.001, 100), expected, tolerance)).toBeGreaterThan(1);
  expect(worst(Float32Array.of(NaN, 100), expected, tolerance)).toBe(Infinity);
  expect(worst(Float32Array.of(1, 100), Float32Array.of(1, 100), { absolute: 0, relative: 0 })).toBe(0);
  expect(worst(Float32Array.of(1, 101), expected, { absolute: 0, relative: 0 })).toBe(Infinity);
});

describe('NaN around an operand does not reach the result', () => {
  let gpu: Runtime;
  beforeAll(async () => {
    gpu = await createRuntime({ backend: 'webgpu' });
  });
  afterAll(() => gpu.dispose());

  const inner: Record<string, (x: Value, index: Value) => Value> = {
    'product of odd sizes': (x) => matmul(slice(x, 1, 1, 8), slice(slice(x, 0, 1, 8), 1, 0, 5)),
    'product of multiples of four': (x) => matmul(x, transpose(x)),
    'product of transposes': (x) => matmul(transpose(x), x),
    'product with a bias': (x) =>
      add(matmul(slice(x, 1, 1, 6), slice(slice(x, 0, 0, 5), 1, 0, 3)), slice(x, 1, 2, 5)),
    'product with f16 weights': (x) =>
      weightProduct(slice(x, 1, 1, 8), slice(slice(x, 0, 1, 8), 1, 1, 8), 'f16'),
    'product with f16 weights, over rows': (x) =>
      weightProduct(slice(x, 1, 1, 8), slice(x, 0, 1, 8), 'f16', 'rows'),
    'product with int8 weights': (x) => weightProduct(x, slice(x, 0, 1, 6), 'int8'),
    elementwise: (x) => tanh(mul(x, 2)),
    'sum over rows': (x) => sum(x, 0),
    'maximum over columns': (x) => max(x, 1),
    'softmax cross-entropy': (x, index) => softmaxCrossEntropy(x, index),
    gather: (x, index) => gather(x, index),
    'scatter, as the gradient of gather': (x, index) => grad((x: Value) => sum(square(gather(x, index))))(x),
    recurrent: (x) =>
      recurrent(
        gru,
        reshape(slice(x, 1, 0, 6), [4, 2, 6]),
        slice(slice(x, 0, 0, 6), 1, 0, 2),
        reshape(slice(slice(x, 0, 0, 2), 1, 0, 2), [1, 2, 2]),
      ).output,
  };

  test.each(Object.entries(inner))('%s', async (_, build) => {
    const data = new Float32Array(16 * 16).fill(NaN);
    for (let row = 0; row < 8; row++)
      for (let i = 0; i < 8; i++) data[(row + 4) * 16 + i + 4] = Math.sin(row * 8 + i);
    const compiled = gpu.compile((x: Value, index: Value) =>
      build(slice(slice(x, 0, 4, 12), 1, 4, 12), index),
    );
    const result = await compiled(
      gpu.tensor(data, { shape: [16, 16] }),
      Int32Array.of(0, 7, 3, 3, 5, 1, 0, 2),
    ).read();
    expect(result.findIndex((x) => !Number.isFinite(x))).toBe(-1);
  });
});

describe('check mode', () => {
  let checked: Runtime;
  let cpu: Runtime;
  beforeEach(async () => {
    checked = await createRuntime({ backend: 'webgpu', check: true });
    cpu = await createRuntime({ backend: 'cpu' });
  });
  afterEach(() => {
    checked.dispose();
    cpu.dispose();
  });

  test.each(allCells.map((cell) => [cell.name, cell] as const))(
    'a training graph of %s passes',
    async (_, cell) => {
      const size: RunSize = {
        cell,
        steps: 4,
        batch: 3,
        hidden: 6,
        bias: true,
        pseudoLayers: 1,
        masked: false,
      };
      const [products, ...rest] = runInputs(size);
      const output = cell.projects ? projectionOf(size) : size.hidden;
      const whole: Sample = {
        name: `whole ${cell.name}`,
        inputs: [
          f32([7, 5]),
          f32([5, products.shape[2]]),
          f32([output, 7]),
          // sLSTM's normaliser divides.
          ...rest.map(({ name, shape }) =>
            name === 'initial n' ? f32(shape, 0.5, 1.5) : f32(shape, -0.4, 0.4),
          ),
          i32([4, 3], 7),
          i32([4, 3], 7),
        ],
        build: (...values) => {
          const [x, y] = values.slice(-2);
          const [loss, gradients] = valueAndGrad(([table, wx, wy, ...own]: Value[]) => {
            const { output: h } = runFused(size, [matmul(gather(table, x), wx), ...own]);
            return mean(softmaxCrossEntropy(matmul(reshape(h, [4, 3, output]), wy), y));
          })(values.slice(0, -2));
          return [loss, ...gradients];
        },
      };
      const [expected] = await run(cpu, whole, 1);
      const [got] = await run(checked, whole, 1);
      expected.forEach((numbers, i) =>
        expect(worst(got[i], numbers, { absolute: 2e-5, relative: 1e-4 })).toBeLessThanOrEqual(1),
      );
    },
  );

  /** A runtime that checks against a gather whose reference is off by `by` at element 3. */
  const offAt3 = async (by: number, op: Op = gatherOp as Op): Promise<Runtime> => {
    const { run: reference } = referenceTarget.kernel(gatherOp as Op);
    const wrong: CPUKernel = {
      op,
      run: (attrs, inputs, outputs) => {
        reference(attrs, inputs, outputs);
        outputs[0].data[outputs[0].view.offset + 3] += by;
      },
    };
    return runtimeWith([{ ...webgpuTarget.kernel(gatherOp as Op), op }], { reference: [wrong] });
  };

  test.each([
    ['a number', 0.01],
    ['a NaN', NaN],
  ])('a reference that differs by %s is found', async (_, by) => {
    using runtime = await offAt3(by);
    const compiled = runtime.compile((x: Value, index: Value) => square(gather(tanh(x), index)));
    const result = compiled(
      [
        [1, 2],
        [3, 4],
      ],
      Int32Array.of(1, 0, 1),
    ).read();
    await expect(result).rejects.toThrow(GatewiseError);
    await expect(result).rejects.toMatchObject({
      code: 'mismatch',
      message: expect.stringMatching(
        /step 1 \(gather: .*\), element 3 of \[3, 2\]: the device gave 0\.96\d*, the CPU/,
      ) as string,
    });
  });

  test('a difference within the tolerance passes', async () => {
    const near: Op = { ...(gatherOp as Op), name: 'near', tolerance: { absolute: 1e-3, relative: 0 } };
    using runtime = await offAt3(1e-4, near);
    const compiled = runtime.compile((x: Value, index: Value) =>
      sum(add(apply(near, {}, [x, index]), mul(x, 0))),
    );
    await expect(
      compiled(
        [
          [1, 2],
          [3, 4],
        ],
        Int32Array.of(1, 0),
      ).read(),
    ).resolves.toEqual(Float32Array.of(10));
  });
});
