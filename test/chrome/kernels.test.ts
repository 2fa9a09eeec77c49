// A browser compiles and runs one sample of every kernel in each variant of its op. Node runs all samples.
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

test.each(selection().map((configuration) => [titleOf(configuration), configuration] as const))(
  '%s',
  async (_, configuration) => {
    if (!compiles(gpu, configuration.device)) return;
    using other = await runtimeOf(gpu, configuration);
    expect(await faultsOf(other, cpu, configuration.sample)).toEqual([]);
  },
);
