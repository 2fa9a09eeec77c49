// A small third backend passes the samples of every op. An op without a kernel of its own runs as the reference does.
import { afterAll, describe, expect, test, vi } from 'vitest';

import { createRuntime, type Value } from '../../src/index.ts';
import { referenceTarget } from '../../src/backend/cpu/kernels/index.ts';
import type { NumberArray } from '../../src/core/shape.ts';
import type { Op } from '../../src/graph/value.ts';
import { matmulOp } from '../../src/ops/matmul.ts';
import { allOps } from '../../src/ops/index.ts';
import { Runtime } from '../../src/runtime/runtime.ts';
import { Float32Backend } from '../float32_backend/backend.ts';
import { samples } from '../gpu/samples/index.ts';
import { toleranceOf, worst } from '../gpu/tolerance.ts';
import { outputsOf, tensorsOf, type Sample } from '../gpu/sample.ts';

const third = new Runtime(new Float32Backend(), undefined);
const cpu = await createRuntime({ backend: 'cpu' });
afterAll(() => {
  third.dispose();
  cpu.dispose();
});

async function run(runtime: Runtime, sample: Sample): Promise<NumberArray[]> {
  const compiled = runtime.compile((...values: Value[]) => outputsOf(sample, values));
  const outputs = compiled(...tensorsOf(runtime, sample));
  const numbers = await Promise.all(outputs.map((output) => output.read()));
  compiled.dispose();
  return numbers;
}

describe.each(allOps.map(({ name }) => name))('%s', (op) => {
  test.each(samples[op].map((sample) => [sample.name, sample] as const))('%s', async (_, sample) => {
    const [got, expected] = [await run(third, sample), await run(cpu, sample)];
    expected.forEach((numbers, i) => {
      expect(worst(got[i], numbers, toleranceOf(sample)), `output ${i}`).toBeLessThanOrEqual(1);
    });
  });
});

test('its own kernels replace the reference', async () => {
  const reference = vi.spyOn(referenceTarget.kernel(matmulOp as Op), 'run');
  const [sample] = samples['matmul'];
  await run(third, sample);
  expect(reference).not.toHaveBeenCalled();
  await run(cpu, sample);
  expect(reference).toHaveBeenCalled();
});
