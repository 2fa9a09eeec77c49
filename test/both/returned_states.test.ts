// A model that returns its states unchanged or swapped.
import { describe, expect, test } from 'vitest';

import { createRuntime, serializeSafetensors, type Layer } from '../../src/index.ts';
import { backend } from '../setup/backend.ts';
import { readStates } from '../stream_models.ts';

describe(`on ${backend}`, () => {
  test('a stream keeps states that the model returns unchanged or swapped', async () => {
    using own = await createRuntime({ backend });
    const swapping: Layer = {
      name: 'Swapping',
      parameters: [],
      states: ['a', 'b', 'unchanged'].map((name) => ({ name, shape: (batch) => [batch, 2] })),
      inputDType: 'f32',
      timeAxis: 0,
      forward: (x, _, { a, b, unchanged } = {}) => ({ output: x, states: { a: b, b: a, unchanged } }),
    };
    const stream = (await own.load(swapping)).stream();
    const file = { a: [1, 2], b: [3, 4], unchanged: [5, 6] };
    const tensors = Object.entries(file).map(
      ([name, data]) => [name, { shape: [1, 2], dtype: 'f32', data: Float32Array.from(data) }] as const,
    );
    stream.load(serializeSafetensors(new Map(tensors), { model: 'Swapping', batch: '1' }));
    const swapped = { ...file, a: file.b, b: file.a };
    await stream.push([0, 0]).read();
    expect(await readStates(stream)).toEqual(swapped);
    using fork = stream.fork();
    await stream.push([0, 0]).read();
    expect([await readStates(stream), await readStates(fork)]).toEqual([file, swapped]);
    await fork.push([0, 0]).read();
    await stream.push([0, 0]).read();
    expect([await readStates(stream), await readStates(fork)]).toEqual([swapped, file]);
    fork.reset(0);
    expect(await readStates(fork)).toEqual({ a: [0, 0], b: [0, 0], unchanged: [0, 0] });
    expect(await readStates(stream)).toEqual(swapped);
  });
});
