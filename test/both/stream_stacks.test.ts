// Streams of stacks whose cells take more than one product and one update per step, against run.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Random } from '../../src/core/random.ts';
import { createRuntime, type Runtime } from '../../src/index.ts';
import { backend } from '../setup/backend.ts';
import { INPUTS, streamStacks } from '../stream_stacks.ts';

const [BATCH, STEPS] = [3, 6];

/** (STEPS, BATCH, INPUTS), standard normal. */
function sequence(): number[][][] {
  const random = new Random(4, 7);
  const list = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);
  return list(STEPS, () => list(BATCH, () => list(INPUTS, () => random.normal())));
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test.each(Object.entries(streamStacks))(
    "%s: a stream's outputs and states equal those of run",
    async (_, make) => {
      using net = await runtime.load(make(6), { seed: 3 });
      const x = sequence();
      const close = (numbers: Iterable<number>): unknown[] =>
        Array.from(numbers, (n) => expect.closeTo(n, 5));
      const { output, states } = net.runWithStates(x);
      const expected = close(await output.read());
      let stream = net.stream({ batch: BATCH });
      const got: number[] = [];
      for (const [t, step] of x.entries()) {
        got.push(...(await stream.push(step).read()));
        if (t !== 2) continue;
        // The other steps continue from a file.
        const file = await stream.save();
        stream = net.stream({ batch: BATCH });
        stream.load(file);
      }
      expect(got).toEqual(expected);
      const after = stream.states();
      for (const [name, state] of Object.entries(states))
        expect(Array.from(await after[name].read())).toEqual(close(await state.read()));
    },
  );
});
