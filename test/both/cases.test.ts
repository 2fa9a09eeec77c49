// Every recurrent case: values and gradients of RNN, LSTM and GRU against PyTorch's.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cases } from 'virtual:recurrent-cases';

import { createRuntime, type Runtime } from '../../src/index.ts';
import { readCase, runCase, worstOf } from '../recurrent_case.ts';
import { backend } from '../setup/backend.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ backend });
});
afterAll(() => runtime.dispose());

test('there are cases', () => {
  expect(cases.length).toBeGreaterThanOrEqual(22);
  for (const feature of [/bidirectional/, /lengths/, /proj/])
    expect(cases.some(({ name }) => feature.test(name))).toBe(true);
  expect(stacks.length).toBeGreaterThanOrEqual(6);
});

test.each(cases)(`$name on ${backend}`, async ({ load }) => {
  const parsed = readCase(await load());
  const worst = worstOf(await runCase(parsed, runtime));
  expect(worst.share, `in ${worst.tensor}`).toBeLessThanOrEqual(1);
});

const stacks = cases.filter(({ name }) => /_l[2-9]/.test(name) && !name.includes('bidirectional'));
test.each(stacks)(`$name on ${backend}, as a wavefront`, async ({ load }) => {
  const parsed = readCase(await load(), { wavefront: true });
  expect(parsed.layer.options.wavefront).toBe(true);
  const worst = worstOf(await runCase(parsed, runtime));
  expect(worst.share, `in ${worst.tensor}`).toBeLessThanOrEqual(1);
});
