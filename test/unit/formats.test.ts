// Files that earlier versions wrote load and continue as before: see test/fixtures/formats.
import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { adam, crossEntropy, mse, Trainer } from '../../src/train/index.ts';
import { failure } from '../failure.ts';
import { createRuntime, Embedding, Linear, LSTM, Sequential } from '../../src/index.ts';
import type { Net, Runtime } from '../../src/index.ts';

const bytes = (name: string): Buffer => readFileSync(new URL(`../fixtures/formats/${name}`, import.meta.url));
const text = (name: string): string => bytes(name).toString('utf8');

const load = (runtime: Runtime, weights: string): Promise<Net> =>
  runtime.load(
    new Sequential([
      new Embedding({ numEmbeddings: 5, embeddingDim: 3 }),
      new LSTM({ inputSize: 3, hiddenSize: 4 }),
      new Linear({ inputSize: 4, outputSize: 5 }),
    ]),
    {
      weights: bytes(weights),
    },
  );

function expectClose(got: ArrayLike<number>, expected: readonly number[]): void {
  expect(got).toHaveLength(expected.length);
  expected.forEach((x, i) => expect(got[i]).toBeCloseTo(x, 5));
}

test('a net loads the weights of a file or a checkpoint in place, and keeps its own if they do not fit', async () => {
  using runtime = await createRuntime({ backend: 'cpu' });
  const make = (seed: number) => runtime.load(new Linear({ inputSize: 2, outputSize: 1 }), { seed });
  using net = await make(1);
  using other = await make(2);
  using stranger = await runtime.load(new Linear({ inputSize: 3, outputSize: 1 }));
  const before = await net.save();
  await expect(async () => net.load(await stranger.save())).rejects.toThrow(
    failure('file', /load: "weight" must have shape \[1, 2\], got \[1, 3\]/),
  );
  expect(await net.save()).toEqual(before);
  const trainer = new Trainer(other, { loss: mse, optimizer: adam() });
  expect(net.load(await trainer.save({ note: 'mine' }))).toMatchObject({ note: 'mine' });
  expect(await net.save()).toEqual(await other.save());
});

test('weights', async () => {
  using runtime = await createRuntime({ backend: 'cpu' });
  const net = await load(runtime, 'weights.st');
  const { input, output } = JSON.parse(text('weights.json')) as { input: number[][]; output: number[] };
  expectClose(await net.run(input).read(), output);
  expect(await net.save({ note: 'weights' })).toEqual(Uint8Array.from(bytes('weights.st')));
});

test('the states of a stream', async () => {
  using runtime = await createRuntime({ backend: 'cpu' });
  const stream = (await load(runtime, 'weights.st')).stream({ batch: 2 });
  expect(stream.load(bytes('stream.st'))).toMatchObject({ note: 'stream' });
  const { input, output } = JSON.parse(text('stream.json')) as { input: number[]; output: number[] };
  expect(await stream.save({ note: 'stream' })).toEqual(Uint8Array.from(bytes('stream.st')));
  expectClose(await stream.push(input).read(), output);
});

interface Trained {
  readonly input: number[][];
  readonly target: number[][];
  /** The output of `net.run(input)` with the weights of the checkpoint. */
  readonly output: number[];
  /** The loss of the step after the checkpoint. */
  readonly loss: number;
}

test("a stateful trainer's checkpoint", async () => {
  using runtime = await createRuntime({ backend: 'cpu' });
  const net = await load(runtime, 'weights.st');
  const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam({ lr: 0.1 }), stateful: true });
  expect(trainer.load(bytes('trainer.st'))).toMatchObject({ note: 'trainer' });
  expect(trainer.steps).toBe(2);
  expect(await trainer.save({ note: 'trainer' })).toEqual(Uint8Array.from(bytes('trainer.st')));
  const { input, target, loss } = JSON.parse(text('trainer.json')) as Trained;
  expect(await trainer.step(input, target)).toBeCloseTo(loss, 5);
});

test("the weights of a trainer's checkpoint", async () => {
  using runtime = await createRuntime({ backend: 'cpu' });
  const net = await load(runtime, 'trainer.st');
  const { input, output } = JSON.parse(text('trainer.json')) as Trained;
  expectClose(await net.run(input).read(), output);
});

test('a store of tuned kernels whose variants have new names is not changed', async () => {
  const stored = new Map([['gatewise.tuning.1', text('tuning.json')]]);
  const store = {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => void stored.set(name, value),
  };
  using runtime = await createRuntime({ backend: 'cpu', tuning: { store } });
  expect(runtime.tuning).toEqual({});
  expect([...stored]).toEqual([['gatewise.tuning.1', text('tuning.json')]]);
});
