// The layout of states in one flat tensor, on the host and in a plan.
import { describe, expect, test } from 'vitest';

import { createRuntime, GRU, LSTM, Sequential, type Shape, type State, type Value } from '../../src/index.ts';
import { flatsFromTensors } from '../../src/runtime/flat_layout.ts';
import { StateLayout } from '../../src/runtime/state_layout.ts';

const BATCH = 2;
const state = (name: string, shape: (batch: number) => Shape): State => ({ name, shape });
const lstm = new LSTM({ inputSize: 1, hiddenSize: 3, projSize: 1, numLayers: 2 });
/** The integers from one number up to another, exclusive. */
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

const cases: Record<string, { states: readonly State[]; places: Record<string, number[]> }> = {
  'one layer: state after state': {
    states: new LSTM({ inputSize: 1, hiddenSize: 3, projSize: 1 }).states,
    places: { h: range(0, 2), c: range(2, 8) },
  },
  'a stack: layer after layer, all states of each': {
    states: lstm.states,
    places: { h: [...range(0, 2), ...range(8, 10)], c: [...range(2, 8), ...range(10, 16)] },
  },
  'stacks as high as each other: a layer of both': {
    states: new Sequential([lstm, new GRU({ inputSize: 1, hiddenSize: 1, numLayers: 2 })]).states,
    places: {
      '0.h': [...range(0, 2), ...range(10, 12)],
      '0.c': [...range(2, 8), ...range(12, 18)],
      '1.h': [...range(8, 10), ...range(18, 20)],
    },
  },
  'stacks of other heights: one behind the other': {
    states: new Sequential([
      new GRU({ inputSize: 1, hiddenSize: 1 }),
      lstm,
      new GRU({ inputSize: 1, hiddenSize: 1, numLayers: 3 }),
    ]).states,
    places: {
      '0.h': range(0, 2),
      '1.h': [...range(2, 4), ...range(10, 12)],
      '1.c': [...range(4, 10), ...range(12, 18)],
      '2.h': range(18, 24),
    },
  },
  'whatever axis is the batch, or none': {
    states: [
      state('row', (batch) => [batch]),
      state('column', (batch) => [1, batch]),
      state('two', () => [2]),
      state('scalar', () => []),
    ],
    places: { row: [0, 1], column: [2, 3], two: [4, 5], scalar: [6] },
  },
};

describe.each(Object.entries(cases))('%s', (_, { states, places }) => {
  const layout = new StateLayout(states, BATCH);
  const names = states.map(({ name }) => name);
  const expected = names.map((name) => places[name]);
  // Each element holds its position.
  const flat = Float32Array.from(range(0, layout.size));

  test('has a place for each element, and no more', () => {
    expect(expected.flat().toSorted((a, b) => a - b)).toEqual(range(0, layout.size));
  });

  test('the host cuts and joins states by it', () => {
    const tensors = layout.toTensors(flat);
    expect([...tensors.values()].map(({ data }) => Array.from(data))).toEqual(expected);
    expect(flatsFromTensors('test', 'state', [layout], tensors)).toEqual([[flat]]);
  });

  test('a plan unpacks and packs states by it, each in its shape', async () => {
    using runtime = await createRuntime({ backend: 'cpu' });
    const unpack = runtime.compile((x: Value) => layout.unpack(x));
    const pack = runtime.compile((values: Record<string, Value>) => layout.pack(values));
    const unpacked = unpack(runtime.tensor(flat));
    const parts = Object.entries(unpacked);
    expect(parts.map(([name, { shape }]) => [name, shape])).toEqual(
      states.map(({ name, shape }) => [name, shape(BATCH)]),
    );
    const read = await Promise.all(parts.map(async ([, part]) => Array.from(await part.read())));
    expect(read).toEqual(expected);
    expect(await pack(unpacked).read()).toEqual(flat);
  });
});
