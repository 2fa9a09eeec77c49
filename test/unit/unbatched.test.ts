// Errors where a batch is needed.
import { expect, test } from 'vitest';

import { adam, mse, Trainer } from '../../src/train/index.ts';
import { createRuntime, LSTM } from '../../src/index.ts';

const sizes = { inputSize: 3, hiddenSize: 5 };

test('options about rows of a batch refuse an input without one', async () => {
  using runtime = await createRuntime({ backend: 'cpu' });
  using net = await runtime.load(new LSTM(sizes));
  const [x, y] = [[[1, 2, 3]], [[1, 2, 3, 4, 5]]];
  const failure = (message: RegExp): Error =>
    expect.objectContaining({ code: 'shape', message: expect.stringMatching(message) as string }) as Error;
  expect(() => net.run(x, { lengths: [1] })).toThrow(
    failure(/run: with lengths expected input \(T, B, …\), got \[1, 3\]/),
  );
  expect(() => net.run(x, { mask: [1] })).toThrow(failure(/with a mask expected input \(T, B, …\)/));
  const trainer = new Trainer(net, { loss: mse, optimizer: adam(), stateful: true });
  expect(() => trainer.step(x, y)).toThrow(
    failure(/a stateful trainer expects input \(T, B, …\), got \[1, 3\]/),
  );
});
