/// <reference types="vite/client" />
// The error measure of the conformance tests, and that their lists are complete.
import { expect, test } from 'vitest';

import type { Kernel } from '../../src/core/kernel.ts';
import { allOps } from '../../src/ops/index.ts';
import { webgpuKernels } from '../../src/backend/webgpu/kernels/index.ts';
import type { MatmulVariant } from '../../src/backend/webgpu/kernels/matmul_variants.ts';
import type { RecurrentVariant } from '../../src/backend/webgpu/kernels/recurrent/variants.ts';
import { selection } from '../chrome/selection.ts';
import { dependsOnDevice, titleOf, trialsOf } from '../gpu/conformance.ts';
import { worst } from '../gpu/tolerance.ts';
import { persistentSamples } from '../gpu/samples/index.ts';

import { opsOf, otherOps } from '../gpu/ops/groups.ts';

test('the error measure is at most 1 within the tolerance only', () => {
  const expected = Float32Array.of(1, 100);
  const tolerance = { absolute: 1e-6, relative: 1e-5 };
  expect(worst(Float32Array.of(1, 100.001), expected, tolerance)).toBeLessThanOrEqual(1);
  expect(worst(Float32Array.of(1.001, 100), expected, tolerance)).toBeGreaterThan(1);
  expect(worst(Float32Array.of(NaN, 100), expected, tolerance)).toBe(Infinity);
  expect(worst(Float32Array.of(1, 100), Float32Array.of(1, 100), { absolute: 0, relative: 0 })).toBe(0);
  expect(worst(Float32Array.of(1, 101), expected, { absolute: 0, relative: 0 })).toBe(Infinity);
});

test('the files of the conformance tests together have every op once', () => {
  const grouped = [...opsOf('products'), ...opsOf('recurrent'), ...opsOf('recurrent_backward'), ...otherOps];
  expect(grouped.map(({ name }) => name).toSorted()).toEqual(allOps.map(({ name }) => name).toSorted());
});

// All variants. A new one is a type error until it is listed here, and then fails until a sample covers it.
const MATMUL: Record<MatmulVariant, true> = {
  subgroup: true,
  registers: true,
  tiled: true,
  skinny: true,
  split_k: true,
};
const RECURRENT: Record<RecurrentVariant, true> = {
  step: true,
  subgroup: true,
  split_k: true,
  persistent_streamed: true,
  persistent_workgroup: true,
  persistent_registers: true,
};
const trials = new Map(allOps.filter(dependsOnDevice).map(({ name }) => [name, trialsOf(name)]));
const VARIANTS: Record<string, object> = {
  matmul: MATMUL,
  recurrent: RECURRENT,
  recurrent_backward: RECURRENT,
};

test.each(Object.entries(VARIANTS))('every variant of %s has a test', (name, variants) => {
  const configurations = trials.get(name) ?? [];
  const tried = new Set(configurations.map(({ variant }) => variant));
  expect([...tried].toSorted()).toEqual(Object.keys(variants).toSorted());
  expect(
    configurations.filter(({ variant, device }) => variant === 'subgroup' && device.subgroupSize !== 4),
  ).toEqual([]);
});

test('every op with variants is listed here and has several configurations', () => {
  const withVariants = webgpuKernels
    .filter(({ variants }) => variants !== undefined)
    .map(({ op }) => op.name);
  expect(withVariants.toSorted()).toEqual(Object.keys(VARIANTS).toSorted());
  expect([...trials.keys()]).toEqual(expect.arrayContaining(withVariants));
  expect([...trials.values()].filter((configurations) => configurations.length < 2)).toEqual([]);
});

test.each(Object.entries(persistentSamples))(
  'the persistent samples of %s run with weights in registers and in workgroup memory',
  (name, list) => {
    const configurations = (trials.get(name) ?? []).filter(({ sample }) => list.includes(sample));
    const wanted = list.flatMap(({ name }) =>
      ['persistent_registers', 'persistent_workgroup'].map((variant) => `${name}, ${variant}`),
    );
    expect(configurations.map(({ sample, variant }) => `${sample.name}, ${variant}`).toSorted()).toEqual(
      wanted.toSorted(),
    );
  },
);

test('Chrome runs a sample of every kernel and of every variant', () => {
  const chosen = selection();
  const modules: Record<string, Record<string, Kernel>> = import.meta.glob('../../shaders/gen/*.ts', {
    eager: true,
  });
  const kernels = Object.values(modules).flatMap((module) => Object.values(module).map(({ name }) => name));
  // Calibrations launch these.
  const ofOps = kernels.filter((name) => !name.startsWith('calibrate_'));
  expect([...new Set(chosen.flatMap((configuration) => configuration.kernels))].toSorted()).toEqual(
    ofOps.toSorted(),
  );
  const wanted = Object.entries(VARIANTS).flatMap(([name, variants]) =>
    Object.keys(variants).map((variant) => `${name}, ${variant}`),
  );
  expect(chosen.map(({ name, variant }) => `${name}, ${variant}`)).toEqual(expect.arrayContaining(wanted));
  expect(new Set(chosen.map(titleOf)).size).toBe(chosen.length);
});
