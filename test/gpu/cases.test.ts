// Every recurrent case on both backends: values and gradients of RNN, LSTM and GRU against PyTorch's.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cases } from 'virtual:recurrent-cases';

import { createRuntime, type Runtime } from '../../src/index.ts';
import { readCase, runCase, worstOf } from '../recurrent_case.ts';

let runtimes: Runtime[] = [];
beforeAll(async () => {
  runtimes = [await createRuntime({ backend: 'webgpu' }), await createRuntime({ backend: 'cpu' })];
});
afterAll(() => runtimes.forEach((runtime) => runtime.dispose()));

test('there are cases', () => {
  expect(cases.length).toBeGreaterThanOrEqual(15);
});

test.each(cases)('$name', async ({ load }) => {
  const parsed = readCase(await load());
  for (const runtime of runtimes) {
    const errors = await runCase(parsed, runtime);
    const worst = worstOf(errors);
    expect(worst.share, `${runtime.backend.kind}: ${worst.tensor}`).toBeLessThanOrEqual(1);
  }
});

test('a value that is off is seen', async () => {
  const { layer, tensors } = readCase(await cases[0].load());
  const output = tensors.get('expected.output');
  if (output === undefined) throw new Error('the first case has no output');
  const data = Float32Array.from(output.data);
  data[0] += 1e-3;
  const wrong = new Map([...tensors, ['expected.output', { ...output, data }] as const]);
  const worst = worstOf(await runCase({ layer, tensors: wrong }, runtimes[0]));
  expect(worst.tensor).toBe('expected.output');
  expect(worst.share).toBeGreaterThan(1);
});
