// Which steps of a plan are memoised, and that no other step writes to the memory of their results.
import { describe, expect, test } from 'vitest';

import { lstm } from '../../src/cells/lstm.ts';
import { add, mul, tanh } from '../../src/expr/arith.ts';
import { gradients } from '../../src/graph/autodiff.ts';
import { Value } from '../../src/graph/value.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { recurrent } from '../../src/ops/recurrent_sequence.ts';
import { concat, constant, reshape, slice, sum, transpose, zeros } from '../../src/ops/structure.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { planOf, planText } from '../webgpu_plan.ts';

const arg = (...shape: number[]): Value => new Value({ shape, dtype: 'f32' });
const memoisedOf = (plan: Plan): boolean[] => plan.steps.map(({ memoised }) => memoised);

/** Steps that are not memoised and write to a buffer with a memoised result. */
function overwritingSteps(plan: Plan): number[] {
  const buffersOf = (step: Plan['steps'][number]): number[] =>
    [...step.outputs, ...step.scratch].map(({ buffer }) => buffer);
  const own = new Set(
    plan.steps.filter(({ memoised }) => memoised).flatMap(({ outputs }) => outputs.map((o) => o.buffer)),
  );
  return plan.steps.flatMap((step, i) =>
    !step.memoised && buffersOf(step).some((b) => own.has(b)) ? [i] : [],
  );
}

test('a product of frozen arguments is memoised, one with another argument is not', () => {
  const [x, w, v] = [arg(3, 4), arg(4, 4), arg(4, 4)];
  const plan = planOf([x, w, v], [matmul(x, tanh(matmul(w, v)))], { frozen: [1, 2] });
  expect(plan.steps.map(({ op, memoised }) => [op.name, memoised])).toEqual([
    ['matmul', true],
    ['matmul', false],
  ]);
  expect(plan.frozen).toEqual([1, 2]);
  expect(planOf([x, w, v], [matmul(x, matmul(w, v))], { frozen: [1] }).frozen).toEqual([]);
});

test('memoised steps do not work in place, and share no memory with temporaries', () => {
  const [x, w] = [arg(4, 4), arg(4, 4)];
  const memoised = sum(tanh(matmul(w, w)), 0);
  let y = add(x, memoised);
  for (let i = 0; i < 4; i++) y = matmul(tanh(y), x);
  const plan = planOf([x, w], [mul(y, memoised)], { frozen: [1] });
  expect(memoisedOf(plan).filter(Boolean)).toHaveLength(2);
  expect(overwritingSteps(plan)).toEqual([]);
});

describe('not memoised is', () => {
  test('a result of the program', () => {
    const w = arg(4, 4);
    expect(memoisedOf(planOf([w], [matmul(w, w), constant(1, [3])], { frozen: [0] }))).toEqual([
      false,
      false,
    ]);
  });

  test('a result that overwrites an argument', () => {
    const [w, x] = [arg(4, 4), arg(4, 4)];
    expect(memoisedOf(planOf([w, x], [matmul(w, w)], { donate: [1], frozen: [0] }))).toEqual([false]);
  });

  test('the reserve space, which a recurrent loop overwrites', () => {
    const [products, w] = [arg(2, 1, 16), arg(16, 4)];
    const plan = planOf([products, w], [recurrent(lstm, products, w, zeros([2, 1, 4])).output], {
      frozen: [0, 1],
    });
    const loop = plan.steps.find(({ op }) => op.name === 'recurrent');
    const filled = plan.steps.filter(({ outputs }) =>
      outputs.some(({ buffer }) => buffer === loop?.inputs[0].buffer),
    );
    expect(filled.map(({ memoised }) => memoised)).not.toContain(true);
  });

  test('a view', () => {
    const [x, w] = [arg(3, 4), arg(8, 4)];
    const plan = planOf([x, w], [matmul(x, transpose(slice(w, 0, 2, 6)))], { frozen: [1] });
    expect(memoisedOf(plan)).toEqual([false]);
  });

  test('a piece of a concat whose other piece changes', () => {
    const [x, w] = [arg(4, 4), arg(4, 4)];
    const whole = concat([matmul(w, w), tanh(x)]);
    expect(memoisedOf(planOf([x, w], [matmul(whole, w)], { frozen: [1] }))).toEqual([false, false, false]);
    const frozen = concat([matmul(w, w), tanh(w)]);
    expect(memoisedOf(planOf([x, w], [matmul(frozen, x)], { frozen: [1] }))).toEqual([true, true, false]);
  });
});

test('an LSTM packs its frozen weights once, and in training prepares its zero states once', () => {
  const [x, wx, wh] = [arg(2, 1, 4), arg(16, 4), arg(16, 4)];
  const products = reshape(matmul(reshape(x, [2, 4]), wx, { transposeB: true }), [2, 1, 16]);
  const { output } = recurrent(lstm, products, wh, zeros([2, 1, 4]));
  const plan = planOf([x, wx, wh], [output], { frozen: [1, 2] });
  expect(overwritingSteps(plan)).toEqual([]);
  expect(planText(plan)).toMatchInlineSnapshot(`
    "step  op                                        buffers                                                                 dispatches  FLOP    bytes
    0     matmul                                    arg0[2×4], arg1[4×16] → t4[2×16]                                                 1   256    416 B
    1     memoised: pack                            arg2[16×4] → t5[64]                                                              1     0    512 B
    2     recurrent                                 t4[1×2×1×16], arg2[16×4], t5[64] → t4[1×2×1×16], t6[16], out0[2×1×1×4]           1   360    608 B
          total                                                                                                                      2   616  1.02 kB
          memoised: at first and when arg2 changes                                                                                   1     0    512 B
    3 temporary buffers, 448 B: arg0 32 B, arg1 256 B, arg2 256 B, out0 32 B, t4 128 B, t5 256 B, t6 64 B"
  `);
  const [gradient] = gradients(sum(output), [wh], constant(1));
  const training = planOf([x, wx, wh], [gradient ?? output]);
  expect(planText(training)).toContain('memoised: once');
});
