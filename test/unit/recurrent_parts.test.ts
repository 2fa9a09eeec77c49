// A single step in two parts: its results equal those of the fused loop, and the product of the states is prefetchable.
import { expect, test } from 'vitest';

import { allCells } from '../../src/cells/index.ts';
import { Random } from '../../src/core/random.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { createRuntime, defineCell, mul, tanh, type Cell } from '../../src/index.ts';
import { Value, type Node } from '../../src/graph/value.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { recurrentSequence, type RecurrentWeights } from '../../src/ops/recurrent_sequence.ts';
import { stepInParts } from '../../src/ops/recurrent_step.ts';
import type { RecurrentAttrs } from '../../src/ops/recurrent_schedule.ts';
import { reshape } from '../../src/ops/structure.ts';
import { planOf } from '../webgpu_plan.ts';
import { MAX_INPUTS, MAX_OUTPUTS } from '../../src/backend/webgpu/kernels/elementwise.ts';
import { webgpuTarget } from '../../src/backend/webgpu/kernels/index.ts';
import { partialEvaluation } from '../../src/plan/partial_evaluation.ts';

const [batch, hidden] = [3, 5];
/** The width of h. */
const widthOf = (cell: Cell): number => (cell.projects ? 2 : hidden);

/** The shapes of a step's arguments: products, matrices, bias, weights per unit, states. */
function shapesOf(cell: Cell, bias: boolean): number[][] {
  const rows = cell.recurrentGates.length * hidden;
  return [
    [1, batch, cell.gates.length * hidden],
    [rows, widthOf(cell)],
    ...(cell.projects ? [[widthOf(cell), hidden]] : []),
    ...(bias ? [[rows]] : []),
    ...cell.weights.map(() => [hidden]),
    ...cell.states.map((_, s) => [1, batch, s === 0 ? widthOf(cell) : hidden]),
  ];
}

function argumentsOf(cell: Cell, bias: boolean, values: readonly Value[]) {
  const [products, hh, ...rest] = values;
  const weights: RecurrentWeights = {
    hh,
    ...(cell.projects ? { hr: rest.shift() as Value } : {}),
    ...(bias ? { bias: rest.shift() as Value } : {}),
    units: Object.fromEntries(cell.weights.map(({ name }) => [name, rest.shift() as Value])),
  };
  return { products, weights, initial: rest };
}

/** The output and final states of the loop, and those of the step in two parts. */
function loopOf(cell: Cell, bias: boolean, values: readonly Value[]): readonly Value[] {
  const { products, weights, initial } = argumentsOf(cell, bias, values);
  const { output, finals } = recurrentSequence(cell, { products: [products], weights: [weights], initial });
  return [reshape(output, [batch, widthOf(cell)]), ...finals];
}
function parts(cell: Cell, bias: boolean, values: readonly Value[]): readonly Value[] | undefined {
  const { products, weights, initial } = argumentsOf(cell, bias, values);
  const { output } = recurrentSequence(cell, { products: [products], weights: [weights], initial });
  const loop = output.node as Node<RecurrentAttrs> | undefined;
  const made = loop && stepInParts(loop, { inputs: MAX_INPUTS, outputs: MAX_OUTPUTS });
  return made && [reshape(made[2], [batch, hidden]), ...made.slice(3)];
}
const traced = (cell: Cell, bias: boolean): Value[] =>
  shapesOf(cell, bias).map((shape) => new Value({ shape, dtype: 'f32' }));

const inParts = allCells.filter(
  (cell) => cell.recurrentGates.length > 0 && parts(cell, true, traced(cell, true)) !== undefined,
);

test('cells whose recurrent products are all of h run in two parts, others do not', () => {
  const names = (cells: readonly Cell[]): string[] => cells.map(({ name }) => name);
  expect(names(inParts)).toEqual(expect.arrayContaining(['lstm', 'gru', 'elman_tanh', 'elman_relu']));
  expect(names(inParts)).not.toContain('gru_reset_before');
  expect(names(inParts)).not.toContain('lstm_projected');
  expect(names(inParts)).not.toContain('lstm_layer_norm');
});

const own = defineCell({
  name: 'own',
  gates: ['a', 'b'],
  states: ['h', 'c'],
  weights: { u: 'uniform' },
  update: ({ a, b }, { c }, { u }) => ({ h: tanh(mul(c, b)), c: mul(tanh(a), u) }),
});

test.each([...inParts, own].flatMap((cell) => [true, false].map((bias) => [cell.name, bias, cell] as const)))(
  '%s with bias %s equals the loop',
  async (_, bias, cell) => {
    using runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
    const random = new Random(3, 4);
    const tensors = shapesOf(cell, bias).map((shape) =>
      runtime.tensor(
        Float64Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1)),
        { shape },
      ),
    );
    const results = runtime.compile((...values: Value[]) => {
      const made = parts(cell, bias, values);
      if (made === undefined) throw new Error('expected a step in two parts');
      return [...made, ...loopOf(cell, bias, values)];
    })(...tensors);
    const numbers = await Promise.all(results.map(async (tensor) => Array.from(await tensor.read())));
    const half = numbers.length / 2;
    numbers.slice(0, half).forEach((list, i) => {
      expect(list.some((x) => x !== 0)).toBe(true);
      list.forEach((x, k) => expect(x).toBeCloseTo(numbers[half + i][k], 12));
    });
  },
);

test('partial evaluation leaves the product of the input and the update to the second part', () => {
  for (const cell of inParts) {
    const [given, ...rest] = traced(cell, true);
    const [x, w] = [
      [batch, 4],
      [4, given.shape[2]],
    ].map((shape) => new Value({ shape, dtype: 'f32' }));
    const weights = [w, ...rest.slice(0, rest.length - cell.states.length)];
    const states = rest.slice(rest.length - cell.states.length);
    const outputs = loopOf(cell, true, [reshape(matmul(x, w), given.shape), ...rest]);
    const parts = partialEvaluation(outputs, weights, states, webgpuTarget);
    const first = planOf([...weights, ...states], parts.residuals);
    expect(first.steps.map(({ op }) => op.name)).toContain('matmul');
    const residuals = parts.residuals.map((value) => new Value(value));
    const args = [x, ...weights, ...states, ...residuals];
    const frozen = [...weights.keys()].map((i) => i + 1);
    const second = planOf(args, parts.rest(residuals), { frozen });
    expect(second.steps.filter(({ memoised }) => !memoised)).toHaveLength(2);
  }
});

test('partial evaluation finds nothing to do before the input where the loop has several steps', () => {
  const [cell] = inParts;
  const [, ...rest] = traced(cell, true);
  const products = new Value({ shape: [2, batch, cell.gates.length * hidden], dtype: 'f32' });
  const { weights, initial } = argumentsOf(cell, true, [products, ...rest]);
  const { output } = recurrentSequence(cell, { products: [products], weights: [weights], initial });
  const parts = partialEvaluation([output], rest.slice(0, 2), initial, webgpuTarget);
  expect(parts.residuals).toEqual([]);
  expect(planOf([products, ...rest], parts.rest([])).steps.map(({ op }) => op.name)).toContain('recurrent');
});
