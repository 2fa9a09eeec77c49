// A sample of every kernel, in each variant of its op: that a browser compiles and runs what Node tests in full.
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createRuntime, type Runtime } from '../../src/index.ts';
import { compiles, faultsOf, runtimeOf, titleOf } from '../gpu/conformance.ts';
import { selection } from './selection.ts';

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

test.each(selection().map((way) => [titleOf(way), way] as const))('%s', async (_, way) => {
  if (!compiles(gpu, way.device)) return;
  using other = await runtimeOf(gpu, way);
  expect(await faultsOf(other, cpu, way.sample)).toEqual([]);
});
