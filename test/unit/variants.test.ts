// The variant of a step: the choice for its kind where that is valid, else the default of the device.
import { expect, test } from 'vitest';

import { GPU_DEVICE, SOFTWARE_DEVICE, type DeviceInfo } from '../../src/backend/webgpu/device_info.ts';
import { targetOf, webgpuKernels } from '../../src/backend/webgpu/kernels/index.ts';
import { defineKernel, sizeClass } from '../../src/backend/webgpu/kernels/kernel.ts';
import { apply, defineOp, type Op, Value } from '../../src/graph/value.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { Launcher } from '../../src/backend/webgpu/launches.ts';
import type { Step } from '../../src/plan/plan.ts';
import { planOf } from '../webgpu_plan.ts';

function firstStep(build: (x: Value) => Value, shape: readonly number[] = [5, 6]): Step {
  const x = new Value({ shape, dtype: 'f32' });
  return planOf([x], [build(x)], { target }).steps[0];
}

const ran: (string | undefined)[] = [];
const op: Op = defineOp({
  name: 'two ways',
  summary: '',
  infer: (_, [x]) => [x],
  tolerance: { absolute: 0, relative: 0 },
});
const target = targetOf([
  ...webgpuKernels,
  defineKernel(op, {
    variants: ({ inputs: [x] }, { software }) => ({
      names: software ? ['plain', 'clever'] : ['clever', 'plain'],
      kind: sizeClass(...x.view.shape),
    }),
    dispatches: (_placed, _device, variant) => {
      ran.push(variant);
      return [];
    },
  }),
]);
const launcher = (device: DeviceInfo): Launcher => new Launcher(device, target);
const step = firstStep((x) => apply(op, {}, [x]));

test('the default is that of the device', () => {
  expect(launcher(GPU_DEVICE).variantsOf(step)).toEqual({
    key: 'two ways:8x8',
    names: ['clever', 'plain'],
  });
  expect(launcher(GPU_DEVICE).variantOf(step)).toBe('clever');
  expect(launcher(SOFTWARE_DEVICE).variantOf(step)).toBe('plain');
});

test('a valid choice for its kind replaces the default; one that is unknown or of another kind does not', () => {
  const chosen = (key: string, name: string, device: DeviceInfo = GPU_DEVICE): string | undefined =>
    launcher(device).variantOf(step, { [key]: name });
  expect(chosen('two ways:8x8', 'plain')).toBe('plain');
  expect(chosen('two ways:8x8', 'forgotten')).toBe('clever');
  expect(chosen('two ways:8x16', 'plain')).toBe('clever');
});

test('kernels get the variant', () => {
  ran.length = 0;
  launcher(GPU_DEVICE).dispatchesOf(step);
  launcher(SOFTWARE_DEVICE).dispatchesOf(step);
  launcher(SOFTWARE_DEVICE).dispatchesOf(step, 'clever');
  expect(ran).toEqual(['clever', 'plain', 'clever']);
});

test('sizes are rounded up to powers of two', () => {
  expect(sizeClass(1, 2, 3, 64, 65, 0)).toBe('1x2x4x64x128x1');
});

test('the kind of a product has its sizes and the layout of its operands', () => {
  const kind = (a: readonly number[], b: readonly number[], transposeB: boolean): string | undefined => {
    const args = [a, b].map((shape) => new Value({ shape, dtype: 'f32' }));
    const [step] = planOf(args, [matmul(args[0], args[1], { transposeB })]).steps;
    return new Launcher(GPU_DEVICE).variantsOf(step)?.key;
  };
  expect(kind([12, 8], [8, 20], false)).toBe('matmul:16x8x32:kn');
  expect(kind([12, 8], [20, 8], true)).toBe('matmul:16x8x32:kk');
  expect(kind([12, 7], [20, 7], true)).toBe('matmul:16x8x32:--');
});

const SUBGROUPS_OF_FOUR: DeviceInfo = { ...SOFTWARE_DEVICE, subgroupSize: 4 };

test.each([
  ['a large product', [512, 256, 1024], 'tiled', 'registers', 'subgroup'],
  ['few results of a long k', [256, 4096, 128], 'split_k', 'registers', 'subgroup'],
  ['many results of a long k', [1024, 4096, 1024], 'tiled', 'registers', 'subgroup'],
  ['one row', [1, 256, 1024], 'skinny', 'skinny', 'subgroup'],
  ['a few rows', [8, 256, 1024], 'skinny', 'registers', 'subgroup'],
  ['rows too few for a tile', [16, 64, 1024], 'registers', 'registers', 'subgroup'],
  ['a small product', [12, 12, 12], 'registers', 'registers', 'subgroup'],
] as const)('by default, %s', (_, [m, k, n], gpu, software, subgroup) => {
  const args = [
    [m, k],
    [k, n],
  ].map((shape) => new Value({ shape, dtype: 'f32' }));
  const [step] = planOf(args, [matmul(args[0], args[1])]).steps;
  expect(
    [GPU_DEVICE, SOFTWARE_DEVICE, SUBGROUPS_OF_FOUR].map((target) => new Launcher(target).variantOf(step)),
  ).toEqual([gpu, software, subgroup]);
});
