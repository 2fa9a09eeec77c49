// The four teaching examples on both backends: gradients worked out by hand, by finite differences and by PyTorch.
import { cases } from 'virtual:recurrent-cases';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { elmanSequence, target, weights, x } from '../../demo/examples/elman_sequence.ts';
import { elmanStep } from '../../demo/examples/elman_step.ts';
import { difference, lstmByHand } from '../../demo/examples/lstm_by_hand.ts';
import { lstmGradients } from '../../demo/examples/lstm_gradients.ts';
import { createRuntime, parseSafetensors, serializeSafetensors, type Runtime } from '../../src/index.ts';
import { backend } from '../setup/backend.ts';

async function lstmFile(): Promise<Uint8Array> {
  const found = cases.find(({ name }) => name === 'teaching/lstm_10_20_sum');
  if (found === undefined)
    throw new Error(`expected the case teaching/lstm_10_20_sum, got ${cases.map((c) => c.name).join()}`);
  return found.load();
}

type Matrix = readonly (readonly number[])[];
type Weights = Readonly<Record<'W_xh' | 'W_hh' | 'W_hy', Matrix>>;

/** The loss of elman_sequence in plain float64: Wᵀ·v as a sum over rows. */
function plainLoss({ W_xh, W_hh, W_hy }: Weights): number {
  const times = (matrix: Matrix, v: readonly number[]): number[] =>
    matrix[0].map((_, column) => v.reduce((sum, value, row) => sum + value * matrix[row][column], 0));
  let h = W_hh.map(() => 0);
  let loss = 0;
  x.forEach((x_t, t) => {
    const input = times(W_xh, x_t);
    h = times(W_hh, h).map((value, i) => Math.tanh(value + input[i]));
    loss += (times(W_hy, h)[0] - target[t][0]) ** 2 / 2;
  });
  return loss;
}

/** Central differences of `plainLoss` for every element of one weight. */
function differences(name: keyof Weights): number[] {
  const epsilon = 1e-5;
  return weights[name].flatMap((row, i) =>
    row.map((_, j) => {
      const at = (delta: number): number => {
        const moved = weights[name].map((r, k) =>
          r.map((value, l) => (k === i && l === j ? value + delta : value)),
        );
        return plainLoss({ ...weights, [name]: moved });
      };
      return (at(epsilon) - at(-epsilon)) / (2 * epsilon);
    }),
  );
}

/** The largest difference of two lists of the same length. */
function distance(got: readonly number[], expected: readonly number[]): number {
  expect(got).toHaveLength(expected.length);
  return Math.max(...got.map((value, i) => Math.abs(value - expected[i])));
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  test('elman_step: the gradients worked out by hand', async () => {
    const { loss, W_hx, W_hh, W_yh } = await elmanStep(runtime);
    expect(Math.abs(loss - 0.5 * (Math.tanh(0.5) - 0.5) ** 2)).toBeLessThan(1e-7);
    expect(Math.abs(W_hx - -0.029792867600917816)).toBeLessThan(1e-7);
    expect(Math.abs(W_hh)).toBe(0);
    expect(Math.abs(W_yh - -0.01750630885362625)).toBeLessThan(1e-7);
  });

  test('elman_sequence: gradients by hand, built in and by finite differences agree', async () => {
    const ways = await elmanSequence(runtime);
    for (const way of [ways.byHand, ways.builtIn]) {
      expect(Math.abs(way.loss - plainLoss(weights))).toBeLessThan(1e-5);
      for (const name of ['W_xh', 'W_hh', 'W_hy'] as const)
        expect(distance(way[name], differences(name)), `${name}`).toBeLessThan(1e-5);
    }
  });

  test("lstm_gradients: every weight's gradient equals PyTorch's", async () => {
    const found = await lstmGradients(runtime, await lstmFile());
    expect(found.map(({ name, shape }) => [name, ...shape])).toEqual([
      ['weight_ih_l0', 80, 10],
      ['weight_hh_l0', 80, 20],
      ['bias_ih_l0', 80],
      ['bias_hh_l0', 80],
    ]);
    for (const { name, error, largest } of found) {
      expect(largest, `${name}: largest`).toBeGreaterThan(0.1);
      expect(error, `${name}: error`).toBeLessThan(1e-5);
    }
  });

  test('lstm_gradients: a wrong gradient is found', async () => {
    const { tensors, metadata } = parseSafetensors(await lstmFile());
    const name = 'expected_grad.param.weight_hh_l0';
    const right = tensors.get(name);
    if (right === undefined) throw new Error(`expected a tensor ${name}, found none`);
    const data = Float32Array.from(right.data);
    data[data.length - 1] += 1e-3;
    const file = serializeSafetensors(new Map([...tensors, [name, { ...right, data }]]), metadata);
    const errors = (await lstmGradients(runtime, file)).map(({ error }) => error);
    expect(errors.map((error) => error > 5e-4)).toEqual([false, true, false, false]);
  });

  test.each([1, 2, 32])('lstm_by_hand: both ways equal the built-in layer over %d steps', async (steps) => {
    const { separate, fused, builtIn } = await lstmByHand(runtime, steps);
    expect(difference(separate, builtIn)).toBeLessThan(1e-5);
    expect(difference(fused, builtIn)).toBeLessThan(1e-5);
    expect(difference(separate, fused)).toBeLessThan(1e-5);
    // States in the range of a cell's, not all equal.
    expect(new Set(builtIn.h).size).toBe(12);
    expect(Math.max(...builtIn.h.map(Math.abs))).toBeLessThan(1);
  });

  test('lstm_by_hand: dispatches of each way per step', async () => {
    const one = await lstmByHand(runtime, 1);
    const many = await lstmByHand(runtime, 11);
    const perStep = (way: keyof typeof one): number => (many[way].dispatches - one[way].dispatches) / 10;
    // On a GPU all steps are one launch.
    expect(perStep('builtIn')).toBeLessThanOrEqual(1);
    expect(perStep('fused')).toBeGreaterThan(perStep('builtIn'));
    expect(perStep('separate')).toBeGreaterThan(perStep('fused'));
  });
});
