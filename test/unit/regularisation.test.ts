// Zoneout, variational dropout and dropout between layers: their draws, in training and in inference, and that the backward
// pass draws the same.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { allCells } from '../../src/cells/index.ts';
import { philox, unitUniform } from '../../src/core/random.ts';
import {
  createRuntime,
  elmanTanh,
  gru,
  gruResetBefore,
  lstm,
  lstmProjected,
  Recurrent,
  slstm,
  withRecurrentDropout,
  type Cell,
  type RecurrentOptions,
  type Runtime,
} from '../../src/index.ts';
import { formulas, runFormula } from '../cell_formulas.ts';
import {
  differing,
  draw,
  drawCotangents,
  partsOf,
  runLayer,
  type LayerInput,
  type LayerResult,
  type Named,
  type Numbers,
} from '../layer_run.ts';
import { drawInput, INPUTS, outputsOf, smallLayer } from '../small_layer.ts';

const SEED = [1234, 5] as const;
const byFormula = (layer: Recurrent, { x, parameters, states }: LayerInput): Named => {
  const { output, finals } = runFormula(layer, formulas[layer.cell.name], x, parameters, states);
  const named = Object.entries(finals).map(([name, data]) => [name, { data, shape: [] }] as const);
  return { output: { data: output, shape: [] }, ...Object.fromEntries(named) };
};
/** The kinds of noise, and all of them together. */
const NOISES: Readonly<Record<string, Partial<RecurrentOptions>>> = {
  zoneout: { zoneout: 0.3 },
  'variational dropout': { recurrentDropout: 0.4 },
  'dropout between layers': { dropout: 0.5, numLayers: 2 },
  'all of it, in two layers of two directions': {
    zoneout: { h: 0.2 },
    recurrentDropout: 0.3,
    dropout: 0.3,
    numLayers: 2,
    bidirectional: true,
  },
};

let exact: Runtime;
beforeAll(async () => {
  exact = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
});
afterAll(() => exact.dispose());

/** Compares the gradient of each argument with finite differences along a random direction. Returns the errors. */
async function gradientErrors(layer: Recurrent, input: LayerInput): Promise<string[]> {
  const { dX, dParameters, dStates } = await runLayer(exact, layer, input);
  const step = 1e-5;
  const along = async (numbers: Numbers, moved: (by: Numbers) => LayerInput, gradient: Numbers) => {
    const direction = draw(7, numbers.shape);
    const at = async (size: number): Promise<number> => {
      const data = numbers.data.map((value, i) => value + size * direction.data[i]);
      return (await runLayer(exact, layer, moved({ shape: numbers.shape, data }))).loss;
    };
    const difference =
      (8 * ((await at(step)) - (await at(-step))) - ((await at(2 * step)) - (await at(-2 * step)))) /
      (12 * step);
    const expected = gradient.data.reduce((total, g, i) => total + g * direction.data[i], 0);
    const error = Math.abs(difference - expected) / Math.max(1, Math.abs(expected));
    return error < 1e-7 ? [] : [error];
  };
  const { x, parameters, states = {} } = input;
  const ofX = await along(x, (moved) => ({ ...input, x: moved }), dX);
  const errors = ofX.map((error) => `x: ${error}`);
  for (const [name, numbers] of Object.entries(parameters)) {
    const move = (moved: Numbers): LayerInput => ({ ...input, parameters: { ...parameters, [name]: moved } });
    errors.push(...(await along(numbers, move, dParameters[name])).map((error) => `${name}: ${error}`));
  }
  for (const [name, numbers] of Object.entries(states)) {
    const move = (moved: Numbers): LayerInput => ({ ...input, states: { ...states, [name]: moved } });
    errors.push(...(await along(numbers, move, dStates[name])).map((error) => `${name}: ${error}`));
  }
  return errors;
}

describe.each(Object.entries(NOISES))('%s', (_, options) => {
  // Every cell that takes these options, but for ReLU's, whose kinks differences step over.
  const takes = (cell: Cell): boolean =>
    !/relu|indrnn|slstm/.test(cell.name) &&
    (options.recurrentDropout === undefined ||
      (cell.recurrentGates.length > 0 && cell.gates.every(({ kind }) => kind !== 'late')));

  test.each(allCells.filter(takes).map((cell) => [cell.name, cell] as const))(
    '%s: the gradient equals finite differences of the same draw',
    async (_, cell) => {
      const layer = smallLayer(cell, options);
      const input = { ...drawInput(layer), seed: SEED };
      const lengths = options.bidirectional === true ? { lengths: [2, 4, 1] } : {};
      expect(await gradientErrors(layer, { ...input, ...lengths })).toEqual([]);
    },
  );

  test('the same seed and step give the same draw, others give others', async () => {
    const layer = smallLayer(lstm, options);
    const input = drawInput(layer);
    const run = async (seed: readonly [number, number]): Promise<LayerResult> =>
      runLayer(exact, layer, { ...input, seed });
    const parts = partsOf(await run(SEED));
    expect(differing(partsOf(await run(SEED)), parts, 0)).toEqual([]);
    expect(differing(partsOf(await run([1234, 6])), parts, 1e-3)).not.toEqual([]);
    expect(differing(partsOf(await run([1235, 5])), parts, 1e-3)).not.toEqual([]);
  });
});

const dropouts = Object.entries(NOISES).filter(([, { zoneout }]) => zoneout === undefined);
test.each(dropouts)('%s: inference draws nothing', async (_, options) => {
  const layer = smallLayer(lstm, options);
  const input = drawInput(layer);
  const got = outputsOf(await runLayer(exact, layer, input));
  expect(differing(got, byFormula(layer, input), 1e-12)).toEqual([]);
});

describe('zoneout', () => {
  const RATES: Readonly<Record<string, number>> = { h: 0.3, c: 0.6 };

  /** Whether zoneout keeps the old value, by the definition of the generator. `draws` is the number of the state's draw. */
  const isKept = (
    rate: number,
    draws: number,
    [t, row, unit]: readonly number[],
    width: number,
    d = 0,
  ): boolean => {
    const words = philox([row * width + unit, 0, t * 2 + d, 1 + (draws >> 2)], [SEED[0], SEED[1]]);
    return unitUniform(words[draws & 3]) < rate;
  };

  test.each([
    ['elman_tanh, h: 0.3', elmanTanh, { h: 0.3 }],
    ['gru, h: 0.3', gru, { h: 0.3 }],
    ['gru_reset_before, h: 0.9', gruResetBefore, { h: 0.9 }],
    ['lstm, h: 0.3, c: 0.6', lstm, RATES],
    ['lstm, c: 0.5', lstm, { c: 0.5 }],
    ['slstm, h: 0.1, n: 0.4, m: 0.4', slstm, { h: 0.1, n: 0.4, m: 0.4 }],
  ] as const)(
    '%s: the old state where the generator selects it, else the formula',
    async (_, cell, rates) => {
      const layer = smallLayer(cell, { zoneout: rates });
      const input = drawInput(layer, 5, 2);
      const got = await runLayer(exact, layer, { ...input, seed: SEED });
      const formula = formulas[cell.name];
      const visits = [0, 0];
      const expected = runFormula(
        layer,
        // The formula goes through all steps of a row, then to the next row.
        (step) => {
          const calls = visits[0]++;
          const [row, t] = [Math.floor(calls / 5), calls % 5];
          const next = formula(step);
          const zoned = cell.states.map((state) => {
            const rate = (rates as Readonly<Record<string, number>>)[state] ?? 0;
            return [state, rate, step.s[state]] as const;
          });
          const order = orderOfDraws(cell, rates);
          return Object.fromEntries(
            zoned.map(([state, rate, old]) => [
              state,
              next[state].map((value, unit) =>
                rate > 0 && isKept(rate, order.indexOf(state), [t, row, unit], 5) ? old[unit] : value,
              ),
            ]),
          );
        },
        input.x,
        input.parameters,
        input.states,
      );
      const named = Object.entries(expected.finals).map(
        ([name, data]) => [name, { data, shape: [] }] as const,
      );
      expect(
        differing(
          outputsOf(got),
          { output: { data: expected.output, shape: [] }, ...Object.fromEntries(named) },
          1e-12,
        ),
      ).toEqual([]);
      expect(differing(outputsOf(got), byFormula(layer, input), 1e-3)).not.toEqual([]);
    },
  );

  /** The states with zoneout, in the order in which the update returns them: that of their draws. */
  function orderOfDraws(cell: Cell, rates: Readonly<Record<string, number>>): readonly string[] {
    const returned: Readonly<Record<string, readonly string[]>> = { lstm: ['c', 'h'] };
    return (returned[cell.name] ?? cell.states).filter((state) => (rates[state] ?? 0) > 0);
  }

  test('in inference the new state is the mean of old and new, weighted by the rate', async () => {
    const layer = smallLayer(lstm, { zoneout: RATES });
    const input = drawInput(layer);
    const expected = runFormula(
      layer,
      (step) =>
        Object.fromEntries(
          Object.entries(formulas['lstm'](step)).map(([state, next]) => [
            state,
            next.map((value, u) => RATES[state] * step.s[state][u] + (1 - RATES[state]) * value),
          ]),
        ),
      input.x,
      input.parameters,
      input.states,
    );
    const named = Object.entries(expected.finals).map(([name, data]) => [name, { data, shape: [] }] as const);
    expect(
      differing(
        outputsOf(await runLayer(exact, layer, input)),
        { output: { data: expected.output, shape: [] }, ...Object.fromEntries(named) },
        1e-12,
      ),
    ).toEqual([]);
  });

  test('a rate of 0 and a zoneout without states change nothing', async () => {
    const input = drawInput(smallLayer(lstm, {}));
    for (const zoneout of [0, { h: 0 }, {}]) {
      const layer = smallLayer(lstm, { zoneout });
      const got = await runLayer(exact, layer, { ...input, seed: SEED });
      expect(differing(outputsOf(got), byFormula(layer, input), 1e-12)).toEqual([]);
    }
  });
});

describe('variational dropout', () => {
  test('a cell with recurrent dropout equals the plain cell with the option', async () => {
    const declared = withRecurrentDropout(lstm);
    for (const recurrentDropout of [0, 0.5]) {
      const [own, plain] = [declared, lstm].map((cell) => smallLayer(cell, { recurrentDropout }));
      const input = drawInput(own);
      const parts = async (layer: Recurrent, seed?: readonly [number, number]): Promise<Named> =>
        partsOf(await runLayer(exact, layer, { ...input, ...(seed && { seed }) }));
      expect(differing(await parts(own), await parts(plain), 0)).toEqual([]);
      expect(differing(await parts(own, SEED), await parts(plain, SEED), 0)).toEqual([]);
    }
  });

  test('drops the same units of h at every step, other units for each row and direction', async () => {
    // W_hh = 1 (identity), W_ih = 0 and h_0 = 1, so that the pre-activation is h alone.
    const hiddenSize = 64;
    const [steps, batch, p] = [3, 4, 0.25];
    const layer = smallLayer(elmanTanh, {
      hiddenSize,
      recurrentDropout: p,
      bidirectional: true,
      bias: false,
    });
    const identity = { shape: [hiddenSize, hiddenSize], data: new Float64Array(hiddenSize ** 2) };
    for (let i = 0; i < hiddenSize; i++) identity.data[i * hiddenSize + i] = 1;
    const none = { shape: [hiddenSize, INPUTS], data: new Float64Array(hiddenSize * INPUTS) };
    const result = await runLayer(exact, layer, {
      x: draw(1, [steps, batch, INPUTS]),
      parameters: {
        weight_ih_l0: none,
        weight_hh_l0: identity,
        weight_ih_l0_reverse: none,
        weight_hh_l0_reverse: identity,
      },
      states: {
        h: { shape: [2, batch, hiddenSize], data: new Float64Array(2 * batch * hiddenSize).fill(1) },
      },
      seed: SEED,
      cotangents: drawCotangents(layer, steps, batch, 3),
    });
    const { data } = result.output;
    const at = (t: number, b: number, d: number): Float64Array => {
      const start = ((t * batch + b) * 2 + d) * hiddenSize;
      return data.slice(start, start + hiddenSize);
    };
    let dropped = 0;
    const sets: string[] = [];
    for (let b = 0; b < batch; b++) {
      for (const d of [0, 1]) {
        let h = Float64Array.from({ length: hiddenSize }, () => 1);
        const mask = at(d === 0 ? 0 : steps - 1, b, d).map((value) => (value === 0 ? 0 : 1 / (1 - p)));
        sets.push(mask.map(Math.sign).join(''));
        dropped += mask.filter((factor) => factor === 0).length;
        for (let n = 0; n < steps; n++) {
          h = h.map((value, unit) => Math.tanh(value * mask[unit]));
          const got = at(d === 0 ? n : steps - 1 - n, b, d);
          expect(Math.max(...got.map((value, unit) => Math.abs(value - h[unit])))).toBeLessThan(1e-7);
        }
      }
    }
    expect(new Set(sets).size).toBe(2 * batch);
    const count = 2 * batch * hiddenSize;
    expect(Math.abs(dropped / count - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / count));
  });

  test.each([lstmProjected, gru].map((cell) => [cell.name, cell] as const))(
    '%s: a rate of 1 sets h in the product to 0',
    async (_, cell) => {
      const layer = smallLayer(cell, { recurrentDropout: 1 });
      const input = drawInput(layer);
      const got = await runLayer(exact, layer, { ...input, seed: SEED });
      const formula = formulas[cell.name];
      const expected = runFormula(
        layer,
        (step) =>
          formula({
            ...step,
            r: (part, v) => step.r(part, v === step.s['h'] ? v.map(() => 0) : v),
          }),
        input.x,
        input.parameters,
        input.states,
      );
      expect(
        differing({ output: got.output }, { output: { data: expected.output, shape: [] } }, 1e-12),
      ).toEqual([]);
    },
  );
});

test('dropout is between layers, and not behind the last', async () => {
  const [steps, batch] = [4, 3];
  const one = smallLayer(gru, { dropout: 0.5 });
  const input = drawInput(one, steps, batch);
  const got = await runLayer(exact, one, { ...input, seed: SEED });
  expect(differing(outputsOf(got), byFormula(one, input), 1e-12)).toEqual([]);
  // With a rate of 1 the second layer reads zeros.
  const two = smallLayer(gru, { dropout: 1, numLayers: 2 });
  const both = drawInput(two, steps, batch);
  const all = await runLayer(exact, two, { ...both, seed: SEED });
  const second = new Recurrent('Recurrent', gru, { inputSize: 5, hiddenSize: 5 });
  const own = Object.entries(both.parameters).flatMap(([name, numbers]) =>
    name.endsWith('_l1') ? [[name.replace('_l1', '_l0'), numbers] as const] : [],
  );
  const { h } = both.states ?? {};
  const expected = runFormula(
    second,
    formulas['gru'],
    { shape: [steps, batch, 5], data: new Float64Array(steps * batch * 5) },
    Object.fromEntries(own),
    { h: { shape: [1, batch, 5], data: h.data.slice(batch * 5) } },
  );
  expect(differing({ output: all.output }, { output: { data: expected.output, shape: [] } }, 1e-12)).toEqual(
    [],
  );
});
