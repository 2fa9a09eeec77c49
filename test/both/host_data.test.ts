// What JavaScript programs hand over in place of tensors computes the same as a Float32Array or Int32Array of the same numbers.
import { runInNewContext } from 'node:vm';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { adam, crossEntropy, Trainer } from '../../src/train/index.ts';
import {
  add,
  createRuntime,
  Embedding,
  Linear,
  LSTM,
  Sequential,
  type HostData,
  type Runtime,
  type Value,
} from '../../src/index.ts';
import { backend } from '../setup/backend.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ backend });
});
afterAll(() => runtime.dispose());

function shared(numbers: readonly number[]): Float32Array {
  const data = new Float32Array(new SharedArrayBuffer(4 * numbers.length));
  data.set(numbers);
  return data;
}

test('memory that threads share is copied', async () => {
  using tensor = runtime.tensor(shared([1, 2]), { shape: [1, 1, 2] });
  expect([...(await tensor.read())]).toEqual([1, 2]);
  tensor.write(shared([3, 4]));
  expect([...(await tensor.read())]).toEqual([3, 4]);
});

test('run and push take lists of typed arrays, shared memory and arrays of another realm', async () => {
  const net = await runtime.load(new LSTM({ inputSize: 2, hiddenSize: 3 }));
  const expected = [...(await net.run([[[1, 2]], [[3, 4]]]).read())];
  const sequences: HostData[] = [
    [[Float32Array.of(1, 2)], [Float32Array.of(3, 4)]],
    [[Uint8Array.of(1, 2)], [shared([3, 4])]],
    runInNewContext('[[new Float32Array([1, 2])], [[3, 4]]]') as HostData,
  ];
  for (const sequence of sequences) expect([...(await net.run(sequence).read())]).toEqual(expected);
  const stream = net.stream({ batch: 1 });
  const steps = [shared([1, 2]), runInNewContext('new Float32Array([3, 4])') as Float32Array];
  const pushed: number[] = [];
  for (const step of steps) pushed.push(...(await stream.push(step).read()));
  const sequence = await net.run([[[1, 2]], [[3, 4]]]).read();
  pushed.forEach((value, i) => expect(value).toBeCloseTo(sequence[i], 6));
});

test('a compiled function takes a list of typed arrays as a list of arguments', async () => {
  const total = runtime.compile((parts: readonly Value[]) => add(parts[0], parts[1]));
  expect([...(await total([Float32Array.of(1, 2), shared([3, 4])]).read())]).toEqual([4, 6]);
});

test('big integers are tokens and labels', async () => {
  const model = new Sequential([
    new Embedding({ numEmbeddings: 5, embeddingDim: 4 }),
    new LSTM({ inputSize: 4, hiddenSize: 3 }),
    new Linear({ inputSize: 3, outputSize: 5 }),
  ]);
  const losses: number[] = [];
  for (const list of [BigInt64Array.of(1n, 4n), Int32Array.of(1, 4)]) {
    const net = await runtime.load(model, { seed: 3 });
    const trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam() });
    const tokens = runtime.tensor(list, { shape: [2, 1] });
    losses.push(await trainer.step(tokens, tokens));
  }
  expect(losses[0]).toBe(losses[1]);
});
