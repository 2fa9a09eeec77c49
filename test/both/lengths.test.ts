// Lengths and masks: in a batch each sequence gives the same results as alone, in layers of every cell, and padding has
// no effect.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { allCells } from '../../src/cells/index.ts';
import {
  createRuntime,
  type Recurrent,
  type RecurrentOptions,
  type Runtime,
  type Shape,
} from '../../src/index.ts';
import { formulas, runFormula } from '../cell_formulas.ts';
import {
  differing,
  partsOf,
  runLayer,
  type LayerInput,
  type LayerResult,
  type Named,
  type Numbers,
} from '../layer_run.ts';
import { backend, on } from '../setup/backend.ts';
import { drawInput, smallLayer } from '../small_layer.ts';

const STEPS = 6;
/** Unsorted, two equal, one of all steps and one of a single step. */
const LENGTHS = [4, 1, 6, 4, 2];
const BATCH = LENGTHS.length;

const layouts: readonly (readonly [string, Partial<RecurrentOptions>])[] = [
  ['one direction', {}],
  ['batch first', { batchFirst: true }],
  ['two directions', { bidirectional: true }],
  ['two layers of two directions, batch first', { bidirectional: true, numLayers: 2, batchFirst: true }],
];

/** The elements of a tensor whose index satisfies `at`, in order, in the shape `to`. */
function pick({ shape, data }: Numbers, at: (index: readonly number[]) => boolean, to: Shape): Numbers {
  const picked = data.filter((_, i) => {
    let rest = i;
    const index = shape.toReversed().map((size) => {
      const own = rest % size;
      rest = Math.floor(rest / size);
      return own;
    });
    return at(index.toReversed());
  });
  return { shape: to, data: picked };
}

/** The first steps of one row: of (T, B, …) or (B, T, …). */
function rowOf(numbers: Numbers, { batchFirst }: Recurrent, row: number, length: number): Numbers {
  const [time, batch] = batchFirst ? [1, 0] : [0, 1];
  const shape = numbers.shape.map((size, axis) => (axis === time ? length : axis === batch ? 1 : size));
  return pick(numbers, (index) => index[time] < length && index[batch] === row, shape);
}

/** The elements past the end of each sequence. */
function pastOf(numbers: Numbers, { batchFirst }: Recurrent): Numbers {
  const [time, batch] = batchFirst ? [1, 0] : [0, 1];
  return pick(numbers, (index) => index[time] >= LENGTHS[index[batch]], []);
}

/** The tensor with other values past the end of each sequence. */
function padded({ shape, data }: Numbers, { batchFirst }: Recurrent, values: readonly number[]): Numbers {
  const width = shape[2];
  return {
    shape,
    data: data.map((value, i) => {
      const [outer, inner] = [Math.floor(i / (width * shape[1])), Math.floor(i / width) % shape[1]];
      const [t, b] = batchFirst ? [inner, outer] : [outer, inner];
      return t < LENGTHS[b] ? value : values[i % values.length];
    }),
  };
}

/** One row of states (L·D, B, W). */
const statesOf = (states: Named, row: number): Named =>
  Object.fromEntries(
    Object.entries(states).map(([name, numbers]) => {
      const [layers, , width] = numbers.shape;
      return [name, pick(numbers, ([, b]) => b === row, [layers, 1, width])];
    }),
  );

const inputOf = (layer: Recurrent): LayerInput => drawInput(layer, STEPS, BATCH);

const sumOf = (results: readonly LayerResult[]): Named =>
  Object.fromEntries(
    Object.entries(results[0].dParameters).map(([name, { shape }]) => [
      name,
      {
        shape,
        data: results
          .map(({ dParameters }) => dParameters[name].data)
          .reduce((a, b) => a.map((x, i) => x + b[i])),
      },
    ]),
  );

/** Differences between a batch with lengths and its sequences run one by one. */
async function differencesOf(runtime: Runtime, layer: Recurrent, limit: number): Promise<string[]> {
  const input = inputOf(layer);
  const { x, parameters, states = {}, cotangents } = input;
  // The cotangent past the end must have no effect either.
  const whole = await runLayer(runtime, layer, { ...input, lengths: LENGTHS });
  const alone: LayerResult[] = [];
  for (const [row, length] of LENGTHS.entries()) {
    alone.push(
      await runLayer(runtime, layer, {
        x: rowOf(x, layer, row, length),
        parameters,
        states: statesOf(states, row),
        cotangents: {
          output: rowOf(cotangents.output, layer, row, length),
          finals: statesOf(cotangents.finals, row),
        },
      }),
    );
  }
  const wrong = LENGTHS.flatMap((length, row) => {
    const { output, finals, dX, dStates } = alone[row];
    return [
      ...differing(
        { output: rowOf(whole.output, layer, row, length), 'd x': rowOf(whole.dX, layer, row, length) },
        { output, 'd x': dX },
        limit,
      ),
      ...differing(statesOf(whole.finals, row), finals, limit),
      ...differing(statesOf(whole.dStates, row), dStates, limit),
    ].map((difference) => `row ${row}: ${difference}`);
  });
  for (const [name, numbers] of Object.entries({ output: whole.output, 'd x': whole.dX }))
    if (pastOf(numbers, layer).data.some((value) => value !== 0)) wrong.push(`${name} past the end`);
  return [...wrong, ...differing(whole.dParameters, sumOf(alone), limit)];
}

/** What changes when the padding is NaN, infinite or huge. */
async function changedByPadding(runtime: Runtime, layer: Recurrent): Promise<string[]> {
  const input = { ...inputOf(layer), lengths: LENGTHS };
  const expected = await runLayer(runtime, layer, input);
  const got = await runLayer(runtime, layer, {
    ...input,
    x: padded(input.x, layer, [NaN, Infinity, -Infinity, 3e38]),
  });
  return differing(partsOf(got), partsOf(expected), 0);
}

describe.each(on('cpu'))('in float64', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
  });
  afterAll(() => runtime.dispose());

  describe.each(allCells.map((cell) => [cell.name, cell] as const))('%s', (name, cell) => {
    test.each(layouts)('%s: each sequence gives the same results as alone', async (_, options) => {
      expect(await differencesOf(runtime, smallLayer(cell, options), 1e-12)).toEqual([]);
    });

    test.each(layouts)('%s: NaN and infinity in the padding have no effect', async (_, options) => {
      expect(await changedByPadding(runtime, smallLayer(cell, options))).toEqual([]);
    });

    test('lengths that are all T change nothing', async () => {
      const layer = smallLayer(cell, { bidirectional: true, numLayers: 2 });
      const input = inputOf(layer);
      const full = await runLayer(runtime, layer, { ...input, lengths: LENGTHS.map(() => STEPS) });
      expect(differing(partsOf(full), partsOf(await runLayer(runtime, layer, input)), 1e-14)).toEqual([]);
    });

    test.each(layouts)('%s: results with any mask equal the formula', async (_, options) => {
      const layer = smallLayer(cell, { ...options, batchFirst: false });
      const { x, parameters, states = {}, cotangents } = inputOf(layer);
      // One row fully masked, one not at all, one masked at its first steps, and two more.
      const rows = ['000000', '111111', '001101', '101010', '011110'];
      const isActive = (t: number, b: number): boolean => rows[b][t] === '1';
      const mask = {
        shape: [STEPS, BATCH],
        data: Float64Array.from({ length: STEPS * BATCH }, (_, i) =>
          Number(isActive(Math.floor(i / BATCH), i % BATCH)),
        ),
      };
      const got = await runLayer(runtime, layer, { x, parameters, states, mask, cotangents });
      const expected = runFormula(layer, formulas[name], x, parameters, states, (t, b) =>
        isActive(t, b) ? 'yes' : 'carried',
      );
      const finals = Object.entries(expected.finals).map(([state, data]) => [
        state,
        { data, shape: got.finals[state].shape },
      ]);
      expect(
        differing(
          { output: got.output, ...got.finals },
          { output: { ...got.output, data: expected.output }, ...Object.fromEntries(finals) } as Named,
          1e-12,
        ),
      ).toEqual([]);
      // The gradient of the input is 0 at masked steps.
      const passed = pick(got.dX, ([t, b]) => !isActive(t, b), []);
      expect(passed.data.every((value) => value === 0)).toBe(true);
      const turned = smallLayer(cell, { ...options, batchFirst: true });
      const flip = (numbers: Numbers): Numbers => swapped(numbers);
      const first = await runLayer(runtime, turned, {
        x: flip(x),
        parameters,
        states,
        mask: flip(mask),
        cotangents: { ...cotangents, output: flip(cotangents.output) },
      });
      expect(
        differing(partsOf({ ...first, output: flip(first.output), dX: flip(first.dX) }), partsOf(got), 1e-12),
      ).toEqual([]);
    });
  });

  test('lengths equal the mask that ends with them, but for the output past the end', async () => {
    const layer = smallLayer(allCells[2], { bidirectional: true });
    const input = inputOf(layer);
    const mask = {
      shape: [STEPS, BATCH],
      data: Float64Array.from({ length: STEPS * BATCH }, (_, i) =>
        Number(Math.floor(i / BATCH) < LENGTHS[i % BATCH]),
      ),
    };
    const byLengths = await runLayer(runtime, layer, { ...input, lengths: LENGTHS });
    const byMask = await runLayer(runtime, layer, { ...input, mask });
    expect(differing(byMask.finals, byLengths.finals, 1e-14)).toEqual([]);
    expect(pastOf(byMask.output, layer).data.some((value) => value !== 0)).toBe(true);
  });
});

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  // One of each structure: one phase, two, two with means, a projection, no recurrent product.
  const some = ['lstm', 'gru_reset_before', 'gru_layer_norm', 'lstm_projected', 'min_gru'];
  test.each(some)('%s: each sequence gives the same results as alone, whatever the padding', async (name) => {
    const cell = allCells.find((one) => one.name === name) ?? allCells[0];
    const layer = smallLayer(cell, { bidirectional: true, numLayers: 2 });
    expect(await differencesOf(runtime, layer, 1e-4)).toEqual([]);
    expect(await changedByPadding(runtime, layer)).toEqual([]);
  });
});

/** The tensor with its first two axes exchanged. */
function swapped({ shape: [a, b, ...rest], data }: Numbers): Numbers {
  const width = rest.reduce((x, y) => x * y, 1);
  const out = data.map((_, i) => {
    const [row, column] = [Math.floor(i / (width * a)), Math.floor(i / width) % a];
    return data[(column * b + row) * width + (i % width)];
  });
  return { shape: [b, a, ...rest], data: out };
}
