// States that a model hands on untouched.
import { describe, expect, test } from 'vitest';

import { createRuntime, serializeSafetensors, type Layer, type Stream } from '../../src/index.ts';
import { backend } from '../setup/backend.ts';

describe(`on ${backend}`, () => {
  test('states that a model hands on untouched, or one for the other, are what they were', async () => {
    using own = await createRuntime({ backend });
    const swapping: Layer = {
      name: 'Swapping',
      parameters: [],
      states: ['a', 'b', 'kept'].map((name) => ({ name, shape: (batch) => [batch, 2] })),
      inputDType: 'f32',
      timeAxis: 0,
      forward: (x, _, { a, b, kept } = {}) => ({ output: x, states: { a: b, b: a, kept } }),
    };
    const stream = (await own.load(swapping)).stream();
    const file = { a: [1, 2], b: [3, 4], kept: [5, 6] };
    const tensors = Object.entries(file).map(
      ([name, data]) => [name, { shape: [1, 2], dtype: 'f32', data: Float32Array.from(data) }] as const,
    );
    stream.restore(serializeSafetensors(new Map(tensors), { model: 'Swapping', batch: '1' }));
    const statesOf = async (of: Stream): Promise<Record<string, number[]>> => {
      const read = Object.entries(of.states()).map(
        async ([name, state]) => [name, Array.from(await state.read())] as const,
      );
      return Object.fromEntries(await Promise.all(read));
    };
    const swapped = { ...file, a: file.b, b: file.a };
    await stream.push([0, 0]).read();
    expect(await statesOf(stream)).toEqual(swapped);
    using fork = stream.fork();
    await stream.push([0, 0]).read();
    expect([await statesOf(stream), await statesOf(fork)]).toEqual([file, swapped]);
    await fork.push([0, 0]).read();
    await stream.push([0, 0]).read();
    expect([await statesOf(stream), await statesOf(fork)]).toEqual([swapped, file]);
    fork.reset(0);
    expect(await statesOf(fork)).toEqual({ a: [0, 0], b: [0, 0], kept: [0, 0] });
    expect(await statesOf(stream)).toEqual(swapped);
  });
});
