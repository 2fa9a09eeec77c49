// The CPU frees results that a program lets go of, also in a loop that only awaits.
import { expect, test } from 'vitest';

import { createRuntime, mul, type Value } from '../../src/index.ts';

test('memory stays flat in a loop that only awaits', async () => {
  using runtime = await createRuntime({ backend: 'cpu' });
  const double = runtime.compile((x: Value) => mul(x, 2));
  const x = runtime.tensor(new Float32Array(2 ** 16));
  await double(x).read();
  let most = 0;
  for (let i = 0; i < 2000; i++) {
    await double(x).read();
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  }
  // 2000 results and as many copies of them are 1 GiB.
  expect(most).toBeLessThan(2 ** 29);
});
