// The tile of an invocation in a recurrent step, and the default variant by size, device and precision.
import { expect, test } from 'vitest';

import { lstm } from '../../src/cells/lstm.ts';
import { GPU_DEVICE, SOFTWARE_DEVICE, type DeviceInfo } from '../../src/backend/webgpu/device_info.ts';
import { Value } from '../../src/graph/value.ts';
import { streamedGeometry, stepTile } from '../../src/backend/webgpu/kernels/recurrent/geometry.ts';
import { QUAD_WORDS, type WeightPrecision } from '../../src/ops/weight_precision.ts';
import { Launcher } from '../../src/backend/webgpu/launches.ts';
import type { Step } from '../../src/plan/plan.ts';
import { runFused, runInputs, type RunSize } from '../recurrent_run.ts';
import { planOf } from '../webgpu_plan.ts';

const large = { products: 4, width: 4096, batch: 4096, pseudoLayers: 1 };

test("a GPU's tile has 64 sums at most, a software adapter's is the largest", () => {
  const gpu = stepTile(GPU_DEVICE, large);
  expect(4 * gpu.rows * gpu.units).toBe(64);
  expect(stepTile(SOFTWARE_DEVICE, large)).toEqual({ rows: 16, units: 4 });
});

test('a tile has at most B rows, and 1 row × 1 unit where a unit has very many products', () => {
  expect(stepTile(SOFTWARE_DEVICE, { ...large, batch: 1 }).rows).toBe(1);
  expect(stepTile(GPU_DEVICE, { ...large, products: 100 })).toEqual({ rows: 1, units: 1 });
});

test('a persistent workgroup owns up to 8 rows, on a software adapter up to 4', () => {
  const size = {
    width: 8,
    products: 4,
    depth: 8,
    batch: 4096,
    pseudoLayers: 2,
    bytes: 0,
    wordsPerInvocation: () => 0,
  };
  expect(streamedGeometry(GPU_DEVICE, size).rows).toBe(8);
  // SwiftShader compiles more rows for minutes.
  expect(streamedGeometry(SOFTWARE_DEVICE, size).rows).toBe(4);
  expect(streamedGeometry(GPU_DEVICE, { ...size, batch: 1 }).rows).toBe(1);
});

const KIB = 1024;
const LARGE: DeviceInfo = { ...GPU_DEVICE, workgroupSize: 1024 };

/** The loop of an LSTM in the inference form. */
function loopOf(hidden: number, precision: WeightPrecision, batch = 1, steps = 9): Step {
  const size: RunSize = {
    cell: lstm,
    steps,
    batch,
    hidden,
    precision,
    bias: true,
    pseudoLayers: 1,
    masked: false,
  };
  const args = runInputs(size).map(({ shape }) => new Value({ shape, dtype: 'f32' }));
  const plan = planOf(args, [runFused(size, args).output]);
  return plan.steps.find(({ op }) => op.name === 'recurrent') as Step;
}

const [streamed, workgroup, registers] = [
  'persistent_streamed',
  'persistent_workgroup',
  'persistent_registers',
];
test.each([
  ['28', GPU_DEVICE, loopOf(28, 'float32'), registers, registers, registers],
  ['28, f16', GPU_DEVICE, loopOf(28, 'f16'), registers, registers, registers],
  // 256 invocations with 64 words each.
  ['60', GPU_DEVICE, loopOf(60, 'float32'), registers, registers, registers],
  ['64', GPU_DEVICE, loopOf(64, 'float32'), registers, registers, registers],
  ['64, f16', GPU_DEVICE, loopOf(64, 'f16'), registers, registers, registers],
  // With many rows the sums of four slices exceed the smallest workgroup memory.
  ['60, many rows', GPU_DEVICE, loopOf(60, 'float32', 512), streamed, registers, registers],
  ['28, many rows and int8', GPU_DEVICE, loopOf(28, 'int8', 512), registers, registers, registers],
  ['128', GPU_DEVICE, loopOf(128, 'float32'), streamed, streamed, streamed],
  ['128, large workgroups', LARGE, loopOf(128, 'float32'), streamed, streamed, streamed],
  ['128, f16', GPU_DEVICE, loopOf(128, 'f16'), streamed, streamed, streamed],
  ['128, f16, large workgroups', LARGE, loopOf(128, 'f16'), registers, registers, registers],
  ['88, f16', GPU_DEVICE, loopOf(88, 'f16'), streamed, streamed, workgroup],
  [
    '60, small workgroups',
    { ...GPU_DEVICE, workgroupSize: 64 },
    loopOf(60, 'float32'),
    streamed,
    streamed,
    workgroup,
  ],
  [
    '28, small workgroups',
    { ...GPU_DEVICE, workgroupSize: 32 },
    loopOf(28, 'float32'),
    workgroup,
    workgroup,
    workgroup,
  ],
  ['28, of a single step', GPU_DEVICE, loopOf(28, 'float32', 1, 1), 'split_k', 'split_k', 'split_k'],
  ['28, by software', SOFTWARE_DEVICE, loopOf(28, 'float32'), 'step', 'step', 'step'],
] as const)(
  'the default variants of an LSTM, H %s, with 16, 32 and 64 KiB of workgroup memory',
  (_, target, loop, ...expected) => {
    const memories = [16 * KIB, 32 * KIB, 64 * KIB];
    const chosen = memories.map((workgroupMemory) =>
      new Launcher({ ...target, workgroupMemory }).variantOf(loop),
    );
    expect(chosen).toEqual(expected);
  },
);

test('weights in workgroup memory leave room for the sums of the slices, to the byte', () => {
  let fullest = 0;
  for (const precision of ['float32', 'f16', 'int8'] as const)
    for (let hidden = 1; hidden < 130; hidden++) {
      const loop = loopOf(hidden, precision, 200);
      if (new Launcher(GPU_DEVICE).variantsOf(loop)?.names.includes('persistent_workgroup') !== true)
        continue;
      const { constants } = new Launcher(GPU_DEVICE).dispatchesOf(loop, 'persistent_workgroup').slice(-1)[0];
      const words = [constants['QUADS'] * QUAD_WORDS[precision], constants['PARTIALS']];
      const bytes = words.reduce((sum, own) => sum + 16 * Math.ceil(own / 4), 0);
      expect(bytes).toBeLessThanOrEqual(GPU_DEVICE.workgroupMemory);
      fullest = Math.max(fullest, bytes);
    }
  expect(fullest).toBeGreaterThan(0.9 * GPU_DEVICE.workgroupMemory);
});
