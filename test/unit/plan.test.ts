// Plans: golden text of small ones, and for random graphs that fusion, shared memory and results in place change no number.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { runStep } from '../../src/backend/cpu/cpu_backend.ts';
import { referenceTarget } from '../../src/backend/cpu/kernels/index.ts';
import { GPU_DEVICE, SOFTWARE_DEVICE } from '../../src/backend/webgpu/device_info.ts';
import { webgpuTarget } from '../../src/backend/webgpu/kernels/index.ts';
import { countDispatches } from '../../src/backend/webgpu/launches.ts';
import type { Phase } from '../../src/cells/phases.ts';
import { gru } from '../../src/cells/gru.ts';
import { lstm } from '../../src/cells/lstm.ts';
import { GatewiseError } from '../../src/core/errors.ts';
import { Random } from '../../src/core/random.ts';
import { sizeOf, type NumberArray, type Shape } from '../../src/core/shape.ts';
import { denseView, walk } from '../../src/core/view.ts';
import { add, exp, maximum, mul, sigmoid, sub, tanh } from '../../src/expr/arith.ts';
import { topological } from '../../src/expr/expr.ts';
import { nodesOf, Value } from '../../src/graph/value.ts';
import { gather } from '../../src/ops/gather.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { recurrent } from '../../src/ops/recurrent_sequence.ts';
import { softmaxCrossEntropy } from '../../src/ops/softmax_cross_entropy.ts';
import {
  broadcast,
  concat,
  constant,
  gap,
  mean,
  reshape,
  slice,
  split,
  sum,
  transpose,
  zeros,
} from '../../src/ops/structure.ts';
import type { Donate } from '../../src/plan/lower.ts';
import type { Plan } from '../../src/plan/plan.ts';
import type { Region } from '../../src/plan/target.ts';
import { decompose, optimise } from '../../src/plan/rewrite.ts';
import { quantity } from '../../src/plan/table.ts';
import { valueAndGrad } from '../../src/train/grad.ts';
import { samples } from '../gpu/samples/index.ts';
import { dataOf, outputsOf, type Sample } from '../gpu/sample.ts';
import { launchesOf, planOf, planText } from '../webgpu_plan.ts';

const arg = (...shape: number[]): Value => new Value({ shape, dtype: 'f32' });
const indices = (...shape: number[]): Value => new Value({ shape, dtype: 'i32' });
const text = (args: readonly Value[], outputs: readonly Value[], donate?: Donate): string =>
  planText(planOf(args, outputs, donate === undefined ? {} : { donate }));

describe('golden plans', () => {
  test('bias and activation are the epilogue of the matmul', () => {
    const [x, w, b] = [arg(8, 16), arg(16, 4), arg(4)];
    expect(text([x, w, b], [tanh(add(matmul(x, w), b))])).toMatchInlineSnapshot(`
      "step  op                               buffers                                        dispatches    FLOP  bytes
      0     matmul, tanh(add(product, in2))  arg0[8×16], arg1[16×4], arg2[8×4] → out0[8×4]           1  1.09 k  912 B
            total                                                                                    1  1.09 k  912 B
      0 temporary buffers, 0 B: arg0 512 B, arg1 256 B, arg2 16 B, out0 128 B"
    `);
  });

  test('nested arithmetic is one step', () => {
    const [x, y] = [arg(3, 5), arg(5)];
    expect(text([x, y], [mul(sigmoid(add(x, y)), sub(2, exp(x)))])).toMatchInlineSnapshot(`
      "step  op                                                          buffers                           dispatches  FLOP  bytes
      0     elementwise: mul(sigmoid(add(in0, in1)), sub(2, exp(in0)))  arg0[3×5], arg1[3×5] → out0[3×5]           1    75  140 B
            total                                                                                                  1    75  140 B
      0 temporary buffers, 0 B: arg0 60 B, arg1 20 B, out0 60 B"
    `);
  });

  test('a sum does not fuse an expression whose operands have more groups of axes than its kernel supports', () => {
    const [x, b] = [arg(2, 3, 4, 5), arg(5)];
    expect(text([x, b], [sum(mul(x, b), 1)])).toMatchInlineSnapshot(`
      "step  op                          buffers                                     dispatches  FLOP    bytes
      0     elementwise: mul(in0, in1)  arg0[2×3×4×5], arg1[2×3×4×5] → t3[2×3×4×5]           1   120    980 B
      1     reduce: sum                 t3[2×3×4×5] → out0[2×4×5]                            1   120    640 B
            total                                                                            2   240  1.62 kB
      1 temporary buffers, 480 B: arg0 480 B, arg1 20 B, out0 160 B, t3 480 B"
    `);
  });

  test('a sum over every other axis reads a copy in which these are neighbours', () => {
    const x = arg(2, 3, 4, 3, 2);
    expect(text([x], [sum(x, [0, 2, 4])])).toMatchInlineSnapshot(`
      "step  op                 buffers                          dispatches  FLOP    bytes
      0     elementwise: copy  arg0[3×3×2×4×2] → t2[3×3×2×4×2]           2     0  1.15 kB
      1     reduce: sum        t2[3×3×2×4×2] → out0[3×3]                 1   144    612 B
            total                                                        3   144  1.76 kB
      1 temporary buffers, 576 B: arg0 576 B, out0 36 B, t2 576 B"
    `);
  });

  test('an expression with more axes than a launch supports is not fused', () => {
    const [x, b, c] = [arg(2, 3, 2, 3, 2), arg(2, 1, 1), arg(2)];
    expect(text([x, b, c], [add(transpose(mul(x, b), [4, 1, 2, 3, 0]), c)])).toMatchInlineSnapshot(`
      "step  op                          buffers                                           dispatches  FLOP    bytes
      0     elementwise: mul(in0, in1)  arg0[2×3×2×3×2], arg1[2×3×2×3×2] → t4[2×3×2×3×2]           1    72    584 B
      1     elementwise: add(in0, in1)  t4[2×3×2×3×2], arg2[2×3×2×3×2] → out0[2×3×2×3×2]           1    72    584 B
            total                                                                                  2   144  1.17 kB
      1 temporary buffers, 288 B: arg0 288 B, arg1 8 B, arg2 8 B, out0 288 B, t4 288 B"
    `);
  });

  test('a sum fuses the expression that it sums', () => {
    const [x, y] = [arg(3, 5), arg(3, 5)];
    expect(text([x, y], [sum(mul(x, y), 1)])).toMatchInlineSnapshot(`
      "step  op                            buffers                         dispatches  FLOP  bytes
      0     reduce: sum of mul(in0, in1)  arg0[3×5], arg1[3×5] → out0[3]           1    30  132 B
            total                                                                  1    30  132 B
      0 temporary buffers, 0 B: arg0 60 B, arg1 60 B, out0 12 B"
    `);
  });

  test('an LSTM is one product, the packing of the weights, one loop, and a copy of the final states', () => {
    const [steps, batch, size, hidden] = [7, 3, 5, 4];
    const [x, wx, b, wh, initial] = [
      arg(steps, batch, size),
      arg(4 * hidden, size),
      arg(4 * hidden),
      arg(4 * hidden, hidden),
      arg(2, batch, hidden),
    ];
    const products = add(matmul(x, wx, { transposeB: true }), b);
    const { output, final } = recurrent(lstm, products, wh, initial);
    const plan = planOf([x, wx, b, wh, initial], [output, final]);
    expect(plan.steps.map(({ op }) => op.name).slice(0, 3)).toEqual(['matmul', 'pack', 'recurrent']);
    const [product, pack, loop] = plan.steps;
    expect([product, pack].map((step) => countDispatches(step))).toEqual([1, 1]);
    expect(countDispatches(loop, SOFTWARE_DEVICE)).toBe(1 + steps);
    expect(countDispatches(loop, GPU_DEVICE, 'persistent_streamed')).toBe(1 + 1);
    expect(planText(plan)).toMatchInlineSnapshot(`
      "step  op                         buffers                                                                           dispatches    FLOP    bytes
      0     matmul, add(product, in2)  arg0[21×5], arg1[5×16], arg2[21×16] → t7[21×16]                                            1  3.70 k  2.15 kB
      1     pack                       arg3[16×4] → t8[64]                                                                        1       0    512 B
      2     recurrent                  t7[1×7×3×16], arg4[24], arg3[16×4], t8[64] → t7[1×7×3×16], t9[48], out0[7×3×1×4]           2  3.78 k  3.57 kB
      3     elementwise: copy          t9[3×4], t9[3×4] → out1[3×4], out1[3×4]                                                    1       0    192 B
            total                                                                                                                 5  7.48 k  6.42 kB
      3 temporary buffers, 1.79 kB: arg0 420 B, arg1 320 B, arg2 64 B, arg3 256 B, arg4 96 B, out0 336 B, out1 96 B, t7 1.34 kB, t8 256 B, t9 192 B"
    `);
  });

  test('an expression is computed before it is broadcast', () => {
    const [x, y] = [arg(5, 1), arg(5, 64)];
    const plan = planOf([x, y], [mul(broadcast(tanh(x), [5, 64]), y)]);
    expect(plan.steps.map(({ outputs: [out] }) => out.view.shape)).toEqual([
      [5, 1],
      [5, 64],
    ]);
  });

  test('a value with two readers is computed and written once', () => {
    const x = arg(3, 5);
    expect(text([x], [sum(tanh(x), 0), sum(tanh(x), 1)])).toMatchInlineSnapshot(`
      "step  op                      buffers              dispatches  FLOP  bytes
      0     elementwise: tanh(in0)  arg0[3×5] → t3[3×5]           1    15  120 B
      1     reduce: sum             t3[3×5] → out0[5]             1    15   80 B
      2     reduce: sum             t3[3×5] → out1[3]             1    15   72 B
            total                                                 3    45  272 B
      1 temporary buffers, 60 B: arg0 60 B, out0 20 B, out1 12 B, t3 60 B"
    `);
  });

  test('views cost nothing', () => {
    const [x, w] = [arg(6, 10), arg(4, 7)];
    expect(text([x, w], [matmul(transpose(slice(x, 1, 3, 7)), slice(transpose(w), 0, 1))]))
      .toMatchInlineSnapshot(`
      "step  op      buffers                           dispatches  FLOP  bytes
      0     matmul  arg0[4×6], arg1[6×4] → out0[4×4]           1   192  256 B
            total                                              1   192  256 B
      0 temporary buffers, 0 B: arg0 240 B, arg1 112 B, out0 64 B"
    `);
  });

  test('a reshape that is not a view is a copy', () => {
    const x = arg(3, 5);
    expect(text([x], [tanh(reshape(transpose(x), [15]))])).toMatchInlineSnapshot(`
      "step  op                      buffers                dispatches  FLOP  bytes
      0     elementwise: copy       arg0[5×3] → out0[5×3]           1     0  120 B
      1     elementwise: tanh(in0)  out0[15] → out0[15]             1    15  120 B
            total                                                   2    15  240 B
      0 temporary buffers, 0 B: arg0 60 B, out0 60 B"
    `);
  });

  test('the pieces of a concat are written in place', () => {
    const [x, w, v] = [arg(4, 6), arg(6, 3), arg(6, 5)];
    const whole = concat([matmul(x, w), tanh(matmul(x, v)), slice(x, 1, 0, 2)], 1);
    expect(text([x, w, v], [whole])).toMatchInlineSnapshot(`
      "step  op                     buffers                           dispatches  FLOP  bytes
      0     matmul                 arg0[4×6], arg1[6×3] → out0[4×3]           1   144  216 B
      1     matmul, tanh(product)  arg0[4×6], arg2[6×5] → out0[4×5]           1   260  296 B
      2     elementwise: copy      arg0[4×2] → out0[4×2]                      1     0   64 B
            total                                                             3   404  576 B
      0 temporary buffers, 0 B: arg0 96 B, arg1 72 B, arg2 120 B, out0 160 B"
    `);
  });

  test('a concat of neighbours in memory is a view', () => {
    const x = arg(6, 4);
    const [a, b, c] = split(x, [1, 3, 2]);
    const steps = (...pieces: Value[]): string[] =>
      planOf([x], [tanh(concat(pieces))]).steps.map(({ label }) => label);
    expect(steps(a, b, c)).toEqual(['tanh(in0)']);
    expect(steps(b, c)).toEqual(['tanh(in0)']);
    expect(steps(a, c).length).toBeGreaterThan(1);
    expect(steps(c, a, b).length).toBeGreaterThan(1);
    expect(steps(a, b, b).length).toBeGreaterThan(1);
    const [left, right] = split(x, [1, 3], 1);
    expect(planOf([x], [tanh(concat([left, right], 1))]).steps.length).toBeGreaterThan(1);
    const [row] = [arg(1, 6)];
    const [start, end] = split(row, [2, 4], 1);
    expect(planOf([row], [tanh(concat([start, end], 1))]).steps).toHaveLength(1);
  });

  test('consecutive copies of one shape are one step, which reads each element once', () => {
    const [x, y] = [arg(4, 6), arg(6, 4)];
    const outputs = [slice(x, 0, 1, 3), reshape(slice(x, 0, 1, 3), [2, 1, 6]), transpose(slice(y, 1, 0, 2))];
    expect(text([x, y], outputs)).toMatchInlineSnapshot(`
      "step  op                 buffers                                                 dispatches  FLOP  bytes
      0     elementwise: copy  arg0[2×6], arg1[2×6] → out0[2×6], out1[2×6], out2[2×6]           1     0  240 B
            total                                                                               1     0  240 B
      0 temporary buffers, 0 B: arg0 96 B, arg1 96 B, out0 48 B, out1 48 B, out2 48 B"
    `);
  });

  test('copies are joined up to the largest number of results of a launch', () => {
    const x = arg(5, 3);
    const rows = [0, 1, 2, 3, 4].map((row) => slice(x, 0, row, row + 1));
    const plan = planOf([x], rows);
    expect(plan.steps.map(({ outputs }) => outputs.length)).toEqual([4, 1]);
  });

  test('swapped arguments are copied to temporaries in one step, and back in another', () => {
    const [x, y] = [arg(4), arg(4)];
    const plan = planOf([x, y], [y, x], { donate: [0, 1] });
    expect(plan.steps.map(({ inputs, outputs }) => [inputs.length, outputs.length])).toEqual([
      [2, 2],
      [2, 2],
    ]);
    const data = [Float64Array.of(1, 2, 3, 4), Float64Array.of(5, 6, 7, 8)];
    expect(runPlan(plan, data)).toEqual([data[1], data[0]]);
  });

  test('a copy stays a step where it reads another copy, has another shape or differs in memoisation', () => {
    const [x, w] = [arg(4, 4), arg(4, 4)];
    const copies = (plan: Plan): number[] =>
      plan.steps.filter(({ label }) => label === 'copy').map(({ outputs }) => outputs.length);
    expect(copies(planOf([x], [slice(x, 0, 0, 1), slice(x, 0, 0, 2)]))).toEqual([1, 1]);
    const whole = concat([slice(w, 1, 0, 2), slice(w, 1, 2, 4)]);
    expect(copies(planOf([x, w], [matmul(whole, reshape(x, [2, 8]))], { frozen: [1] }))).toEqual([2]);
    const parts = [reshape(transpose(w), [16]), reshape(transpose(x), [16])];
    const plan = planOf([x, w], [add(parts[0], parts[1])], { frozen: [1] });
    expect(plan.steps.map(({ label, memoised }) => [label, memoised])).toEqual([
      ['copy', true],
      ['copy', false],
      ['add(in0, in1)', false],
    ]);
  });

  test('a gap takes no step', () => {
    const x = arg(4, 6);
    const plan = planOf([x], [sum(concat([exp(x), gap([4, 2]), tanh(x)], 1), 1)]);
    expect(plan.steps).toHaveLength(3);
  });

  test('donated arguments are updated in place', () => {
    const [w, g] = [arg(8, 4), arg(8, 4)];
    expect(text([w, g], [sub(w, mul(g, 0.1))], [0])).toMatchInlineSnapshot(`
      "step  op                                    buffers                           dispatches  FLOP  bytes
      0     elementwise: sub(in0, mul(in1, 0.1))  arg0[8×4], arg1[8×4] → arg0[8×4]           1    64  384 B
            total                                                                            1    64  384 B
      0 temporary buffers, 0 B: arg0 128 B, arg1 128 B"
    `);
  });

  test('a donated argument is updated after its last reader', () => {
    const [w, g] = [arg(4, 4), arg(4, 4)];
    const next = sub(w, matmul(g, w));
    expect(text([w, g], [next, matmul(w, w)], [0])).toMatchInlineSnapshot(`
      "step  op                         buffers                                    dispatches  FLOP  bytes
      0     matmul, sub(in2, product)  arg1[4×4], arg0[4×4], arg0[4×4] → t3[4×4]           1   144  256 B
      1     matmul                     arg0[4×4], arg0[4×4] → out1[4×4]                    1   128  192 B
      2     elementwise: copy          t3[4×4] → arg0[4×4]                                 1     0  128 B
            total                                                                          3   272  576 B
      1 temporary buffers, 64 B: arg1 64 B, arg0 64 B, out1 64 B, t3 64 B"
    `);
  });

  test('temporaries share buffers', () => {
    const w = arg(4, 4);
    let x = w;
    for (let i = 0; i < 6; i++) x = matmul(x, w);
    const temporary = planOf([w], [x]).buffers.filter(({ kind }) => kind === 'temporary');
    expect(temporary).toHaveLength(2);
  });

  test('the gradient of a transposed weight takes no transpose', () => {
    const [x, w] = [arg(8, 6), arg(4, 6)];
    const [, [dw]] = valueAndGrad(([w]: Value[]) => sum(tanh(matmul(x, w, { transposeB: true }))))([w]);
    expect(planOf([x, w], [dw]).steps.map(({ op }) => op.name)).toEqual(['matmul', 'matmul']);
  });
});

test('a training step of a small model takes a fixed number of dispatches', () => {
  const [steps, batch, classes, hidden] = [6, 4, 11, 8];
  const x = indices(steps, batch);
  const y = indices(steps, batch);
  const parameters = [
    arg(classes, 5),
    arg(4 * hidden, 5),
    arg(4 * hidden),
    arg(4 * hidden, hidden),
    arg(classes, hidden),
    arg(classes),
  ];
  const [loss, gradients] = valueAndGrad(([table, wx, b, wh, wy, by]: Value[]) => {
    const products = add(matmul(gather(table, x), wx, { transposeB: true }), b);
    const { output } = recurrent(lstm, products, wh, zeros([2, batch, hidden]));
    return mean(softmaxCrossEntropy(add(matmul(output, wy, { transposeB: true }), by), y));
  })(parameters);
  const plan = planOf([...parameters, x, y], [loss, ...gradients]);
  const loops = 2 * (steps + 2);
  expect(launchesOf(plan)).toBeLessThanOrEqual(loops + 24);
  expect(plan.indexLimits.map(({ argument, limit }) => [argument, limit])).toEqual([
    [6, classes],
    [7, classes],
  ]);
  expect(plan.steps.some(({ label }) => label === 'copy')).toBe(false);
});

test('quantities are printed short', () => {
  expect([0, 999, 1000, 1234567, 2.5e9].map((n) => quantity(n, 'B'))).toEqual([
    '0 B',
    '999 B',
    '1.00 kB',
    '1.23 MB',
    '2.50 GB',
  ]);
  expect([999_499, 999_500, 999_999, 999_999_999, 2.5e15].map((n) => quantity(n))).toEqual([
    '999 k',
    '1.00 M',
    '1.00 M',
    '1.00 G',
    '2500 T',
  ]);
  expect([0.5, 1.25, 0.0012345, 1e-6, 9.999e-4, 2.5e-12].map((n) => quantity(n, 's'))).toEqual([
    '500 ms',
    '1.25 s',
    '1.23 ms',
    '1.00 µs',
    '1.00 ms',
    '0.00250 ns',
  ]);
});

test('the FLOP of a recurrent loop are those of its products and of the cell, forward and backward', () => {
  const [steps, batch, hidden] = [5, 3, 4];
  const args = [arg(steps, batch, 3 * hidden), arg(3 * hidden, hidden), arg(1, batch, hidden)];
  const [, gradient] = valueAndGrad(([x, w, h]: Value[]) => sum(recurrent(gru, x, w, h).output))(args);
  const plan = planOf(args, [gradient[0]]);
  const flopOf = (name: string): number[] =>
    plan.steps.flatMap(({ op, cost }) => (op.name === name ? [cost.flop / (steps * batch * hidden)] : []));
  const products = 2 * 3 * hidden;
  const { forward, backward } = gru.program({ bias: false, masked: false });
  const operations = ([{ writes }]: readonly Phase[]): number =>
    topological(writes.map(({ value }) => value)).filter(({ args }) => args.length > 0).length;
  const [update, derivative] = [operations(forward), operations(backward)];
  expect(flopOf('recurrent')).toEqual([products + update]);
  expect(flopOf('recurrent_backward')).toEqual([products + derivative]);
});

test('different constants that JSON cannot represent are not merged, equal ones are', () => {
  const numbers = [NaN, Infinity, -Infinity, 0, -0];
  const outputs = [...numbers, ...numbers].map((value) => constant(value, [1]));
  const plan = planOf([], outputs);
  expect(runPlan(plan, []).map(([value]) => value)).toEqual([...numbers, ...numbers]);
  expect(optimise(outputs, webgpuTarget).nodes).toHaveLength(numbers.length);
});

test('a value of another trace is refused', () => {
  const [x, stranger] = [arg(3), arg(3)];
  expect(() => planOf([x], [add(x, stranger)])).toThrow(GatewiseError);
  expect(() => planOf([x], [add(x, stranger)])).toThrow(
    /a traced value of shape \[3\] that is not one of its arguments/,
  );
});

test('integers that no view can represent are copied by an op of their own', () => {
  const x = indices(3, 4);
  const table = arg(5, 2);
  const plan = planOf([table, x], [gather(table, transpose(x))]);
  expect(plan.steps.map(({ op }) => op.name)).toEqual(['copy', 'gather']);
});

test('an index has a limit for each use, also through copies and concats', () => {
  const [small, large, x] = [arg(2, 1), arg(10, 1), indices(2, 6)];
  const columns = slice(x, 1, 2, 4);
  const limits = (...outputs: Value[]): unknown[] =>
    planOf([small, large, x], outputs).indexLimits.map(({ argument, view, limit }) => [
      argument,
      view.offset,
      view.shape,
      limit,
    ]);
  expect(limits(gather(small, slice(x, 0, 0, 1)), gather(large, slice(x, 0, 1)))).toEqual([
    [2, 0, [6], 2],
    [2, 6, [6], 10],
  ]);
  expect(limits(gather(large, x), gather(small, x))).toEqual([[2, 0, [12], 2]]);
  expect(limits(gather(small, columns))).toEqual([[2, 2, [2, 2], 2]]);
  expect(limits(gather(large, concat([columns, slice(x, 1, 5)], 1)))).toEqual([
    [2, 2, [2, 2], 10],
    [2, 5, [2, 1], 10],
  ]);
});

/** The values of a graph, computed node by node without a plan, each tensor in its own memory. */
function evaluate(
  args: readonly Value[],
  data: readonly NumberArray[],
  results: readonly Value[],
): Float64Array[] {
  const graph = decompose({ nodes: nodesOf(results), outputs: results }, webgpuTarget);
  const { nodes, outputs } = graph;
  const known = new Map<Value, NumberArray>(args.map((value, i) => [value, data[i]]));
  const of = (value: Value): NumberArray => known.get(value) ?? new Float64Array(sizeOf(value.shape));
  for (const node of nodes) {
    const { op, attrs } = node;
    const inputs = node.inputs.map((value) => ({ data: of(value), view: denseView(value.shape) }));
    const made = node.outputs.map(({ shape }) => ({
      data: new Float64Array(sizeOf(shape)),
      view: denseView(shape),
    }));
    const [first] = made;
    if (op.name === 'reshape') first.data.set(inputs[0].data);
    else if (op.name === 'concat') {
      const { axis } = attrs as { axis: number };
      const at = (shape: Shape, n: number): number[] => {
        const place: number[] = [];
        let left = n;
        for (let i = shape.length - 1; i >= 0; i--) {
          place[i] = left % shape[i];
          left = Math.floor(left / shape[i]);
        }
        return place;
      };
      let start = 0;
      for (const { data: piece, view } of inputs) {
        piece.forEach((x, n) => {
          const place = at(view.shape, n);
          place[axis] += start;
          first.data[place.reduce((sum, i, a) => sum + i * first.view.strides[a], 0)] = x;
        });
        start += view.shape[axis];
      }
    } else if (op.view !== undefined) {
      made.forEach(({ data }, output) => {
        const seen = inputs[op.viewOf?.(output) ?? 0];
        const view = op.view?.(attrs, seen.view, output);
        let n = 0;
        if (view !== undefined) walk([view], ([at]) => (data[n++] = seen.data[at]));
      });
    } else if (op.name === 'constant') first.data.fill((attrs as { value: number }).value);
    else if (op.isStructural !== true) {
      for (const pair of op.inPlace?.(attrs, inputs.length) ?? [])
        if (pair.must) made[pair.output].data.set(inputs[pair.input].data);
      const inside = op.inside?.(attrs, node.outputs) ?? [];
      referenceTarget.kernel(op).run(
        attrs,
        inputs,
        made.filter((_, i) => inside[i] === undefined),
      );
      inside.forEach((place, i) => {
        if (place === undefined) return;
        const whole = made[place.output];
        let n = 0;
        walk([place.view(whole.view)], ([at]) => (made[i].data[n++] = whole.data[at]));
      });
    }
    node.outputs.forEach((value, i) => known.set(value, made[i].data));
  }
  return outputs.map((value) => Float64Array.from(of(value)));
}

/**
 * The results of a plan for each set of arguments, in memory that is `fresh` at first. Temporaries stay between runs, and
 * memoised steps run in the first only.
 */
function runsOfPlan(plan: Plan, runs: readonly (readonly NumberArray[])[], fresh = NaN): Float64Array[][] {
  const temporaries = plan.buffers.map(({ size }) => new Float64Array(size).fill(fresh));
  return runs.map((data, run) => {
    const memory = plan.buffers.map(({ kind, index = 0, size }, i) => {
      if (kind === 'argument') return data[index].slice();
      return kind === 'output' ? new Float64Array(size).fill(fresh) : temporaries[i];
    });
    for (const step of plan.steps)
      if (run === 0 || !step.memoised) runStep(step, referenceTarget, (buffer) => memory[buffer]);
    return plan.outputs.map(({ buffer, view }) => {
      const list: number[] = [];
      walk([view], ([at]) => list.push(memory[buffer][at]));
      return Float64Array.from(list);
    });
  });
}

function runPlan(plan: Plan, data: readonly NumberArray[], fresh = NaN): Float64Array[] {
  return runsOfPlan(plan, [data], fresh)[0];
}

/** The elements of a region, as a set. */
function elements({ view }: Region): Set<number> {
  const all = new Set<number>();
  walk([view], ([at]) => all.add(at));
  return all;
}

/** Steps that write to a region while another of their regions overlaps it, other than in place. */
function conflicts(plan: Plan): string[] {
  return plan.steps.flatMap((step, i) =>
    step.outputs.flatMap((output, o) => {
      const others = [...step.inputs, ...step.scratch, ...step.outputs.filter((_, n) => n !== o)].filter(
        ({ buffer }) => buffer === output.buffer,
      );
      const written = elements(output);
      return others
        .filter((region) => {
          const same =
            region.view.offset === output.view.offset && [...elements(region)].join() === [...written].join();
          const pair = step.op
            .inPlace?.(step.attrs, step.inputs.length)
            .some((p) => step.inputs[p.input] === region && p.output === o);
          const meets = [...elements(region)].some((at) => written.has(at));
          return same ? pair !== true : meets;
        })
        .map(() => `step ${i}, ${step.label}`);
    }),
  );
}

/** Outputs that are not in the argument that was donated for them. */
function strays(plan: Plan, donate: Donate): string[] {
  return plan.outputs.flatMap(({ buffer }, i) => {
    const { kind, index } = plan.buffers[buffer];
    const donor = donate[i];
    const right =
      donor === undefined ? kind === 'output' && index === i : kind === 'argument' && index === donor;
    return right ? [] : [`output ${i} lies in ${kind} ${index}`];
  });
}

function close(got: readonly Float64Array[], expected: readonly Float64Array[]): boolean {
  return got.every(
    (numbers, i) =>
      numbers.length === expected[i].length &&
      numbers.every((x, n) => Math.abs(x - expected[i][n]) <= 1e-9 * Math.max(1, Math.abs(expected[i][n]))),
  );
}

describe('a plan computes what its graph says', () => {
  const all = Object.entries(samples).flatMap(([op, list]) =>
    list.map((sample): [string, Sample] => [`${op}: ${sample.name}`, sample]),
  );
  test.each(all)('%s', (_, sample) => {
    const args = sample.inputs.map((input) => new Value(input));
    const outputs = outputsOf(sample, args);
    const plan = planOf(args, outputs);
    const data = dataOf(sample);
    expect(conflicts(plan)).toEqual([]);
    // A gap is 0 because memory is 0 at first and nothing writes to it.
    const fresh = nodesOf(outputs).some(({ op }) => op.name === 'gap') ? 0 : NaN;
    expect(close(runPlan(plan, data, fresh), evaluate(args, data, outputs))).toBe(true);
  });
});

/** A random graph over a few arguments: each step applies an op to earlier values that fit it. */
function randomGraph(seed: number, size: number): { args: Value[]; outputs: Value[]; donate: Donate } {
  const random = new Random(seed, 1);
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)];
  const shapes: readonly Shape[] = [[2, 3], [3, 2], [2, 2], [3, 3], [6], [2, 1], [1, 3]];
  const args = [[2, 3], pick(shapes), pick(shapes)].map((shape) => arg(...shape));
  const values: Value[] = [...args];
  const matrices = (): Value[] => values.filter(({ shape }) => shape.length === 2);
  const fitting = (x: Value): Value[] =>
    values.filter(({ shape }) => shape.length === x.shape.length && shape.every((n, i) => n === x.shape[i]));
  const moves: (() => Value | readonly Value[])[] = [
    () => tanh(pick(values)),
    () => mul(pick(values), 0.5 + random.uniform()),
    () => {
      const x = pick(values);
      return add(x, pick(fitting(x)));
    },
    () => {
      const x = pick(values);
      return maximum(sigmoid(x), mul(x, pick(fitting(x))));
    },
    () => {
      const x = pick(matrices());
      return add(x, slice(x, random.integer(2), 0, 1));
    },
    () => transpose(pick(matrices())),
    () => {
      const x = pick(values);
      return reshape(x, sizeOf(x.shape) % 2 === 0 ? [2, sizeOf(x.shape) / 2] : [sizeOf(x.shape)]);
    },
    () => reshape(transpose(pick(matrices())), [-1]),
    () => sum(pick(matrices()), random.integer(2)),
    () => {
      const x = pick(values);
      return sub(
        x,
        reshape(
          sum(x),
          x.shape.map(() => 1),
        ),
      );
    },
    () => {
      const [a, b] = [pick(matrices()), pick(matrices())];
      return a.shape[1] === b.shape[0] ? matmul(a, b) : matmul(a, a, { transposeB: true });
    },
    () => {
      const [a, b] = [pick(matrices()), pick(matrices())];
      const axis = random.integer(2);
      const pieces = a.shape[1 - axis] === b.shape[1 - axis] ? [a, tanh(b), a] : [tanh(a), mul(a, 2)];
      return pieces[0].shape[axis] > 4 ? slice(pieces[0], axis, 1, 3) : concat(pieces, axis);
    },
    () => {
      const x = pick(matrices());
      return split(x, [1, ...(x.shape[1] > 1 ? [x.shape[1] - 1] : [])], 1);
    },
    () => {
      const pieces = split(pick(matrices()), 1);
      const first = random.integer(pieces.length);
      return concat(pieces.slice(first, first + 1 + random.integer(3)).map((piece) => reshape(piece, [-1])));
    },
    () => broadcast(reshape(sum(pick(values)), [1, 1]), [2, 3]),
    () => constant(random.uniform(), pick(shapes)),
    () => {
      const x = pick(matrices());
      const { output, final } = recurrent(
        gru,
        broadcast(reshape(sum(x), [1, 1, 1]), [random.integer(2) + 1, 2, 3]),
        constant(0.3, [3, 1]),
        zeros([1, 2, 1]),
      );
      return [reshape(output, [-1, 2]), reshape(final, [2, 1])];
    },
  ];
  while (values.length < size) {
    const made = pick(moves)();
    values.push(...(Array.isArray(made) ? (made as readonly Value[]) : [made as Value]));
  }
  const outputs = Array.from({ length: 1 + random.integer(3) }, () => pick(values.slice(-6)));
  const free = new Set(args.map((_, i) => i));
  const donate = outputs.map(({ shape }) => {
    const fits = [...free].find((i) => args[i].shape.join() === shape.join());
    if (fits === undefined || random.integer(3) === 0) return undefined;
    free.delete(fits);
    return fits;
  });
  return { args, outputs, donate };
}

describe('random graphs', () => {
  test('give the same results with a plan as without, and no step overwrites what another needs', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 4, max: 24 }), (seed, size) => {
        const { args, outputs, donate } = randomGraph(seed, size);
        const random = new Random(seed, 2);
        const data = args.map(({ shape }) =>
          Float64Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1)),
        );
        const expected = evaluate(args, data, outputs);
        const problems = [[], donate].flatMap((given) => {
          const plan = planOf(args, outputs, { donate: given });
          const right = close(runPlan(plan, data), expected);
          const found = [...conflicts(plan), ...strays(plan, given), ...(right ? [] : ['other numbers'])];
          return found.map((problem) => `${problem}, donating ${given.join()}:\n${planText(plan)}`);
        });
        expect(problems).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('give the same results in a second run, without the steps that follow from frozen arguments', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 4, max: 24 }), (seed, size) => {
        const { args, outputs, donate } = randomGraph(seed, size);
        const random = new Random(seed, 2);
        const [first, second] = [0, 1].map(() =>
          args.map(({ shape }) => Float64Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1))),
        );
        const frozen = args.flatMap((_, i) => (random.integer(2) === 0 && !donate.includes(i) ? [i] : []));
        const next = second.map((numbers, i) => (frozen.includes(i) ? first[i] : numbers));
        const plan = planOf(args, outputs, { donate, frozen });
        const runs = runsOfPlan(plan, [first, next]);
        const right = [first, next].every((data, i) => close(runs[i], evaluate(args, data, outputs)));
        const problems = [...conflicts(plan), ...strays(plan, donate), ...(right ? [] : ['other numbers'])];
        expect(problems, `frozen ${frozen.join()}:\n${planText(plan)}`).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
