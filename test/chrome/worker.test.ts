// A runtime in a worker of the browser, on WebGPU: the page's thread stays free.
import { expect, test } from 'vitest';

import { createRuntime, LSTM } from '../../src/index.ts';
import { connect } from '../../src/worker/index.ts';

test('a net in a worker runs and trains as on the page, and tells what compiles', async () => {
  const worker = new Worker(new URL('./net_worker.ts', import.meta.url), { type: 'module' });
  const compiled: number[] = [];
  const remote = await connect(worker, { onCompile: ({ compiled: n }) => compiled.push(n) });
  expect(remote.description).toMatch(/^WebGPU/);
  const far = await remote.load('lstm', { seed: 3 });
  const runtime = await createRuntime({ backend: 'webgpu' });
  const net = await runtime.load(new LSTM({ inputSize: 2, hiddenSize: 3 }), { seed: 3 });
  const x = [[[1, 2]], [[3, 4]]];
  expect((await far.run(x)).data).toEqual(await net.run(x).read());
  const trainer = await far.trainer('sgd');
  const y = [[[1, 0, 1]], [[0, 1, 0]]];
  const first = await trainer.step(x, y);
  expect(await trainer.step(x, y)).toBeLessThan(first);
  expect(compiled[0]).toBe(0);
  expect(compiled.length).toBeGreaterThan(2);
  runtime.dispose();
  await remote.dispose();
  worker.terminate();
});

test('a worker whose script cannot be loaded is reported', async () => {
  const worker = new Worker(new URL('./no_such_worker.js', location.href), { type: 'module' });
  await expect(connect(worker)).rejects.toThrow('connect: the worker failed: ');
  worker.terminate();
});
