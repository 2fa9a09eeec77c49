// Small graphs over awkward shapes for every op: what conformance tests and gradient checks run. A new op needs its
// samples here, under its name; op_samples.test.ts fails until it has them.
import { defineCell, type Cell } from '../../src/cells/cell.ts';
import { apart } from '../../src/cells/declaration.ts';
import { elmanTanh, indrnn } from '../../src/cells/elman.ts';
import { allCells as declaredCells } from '../../src/cells/index.ts';
import { gru, minimalGatedUnit } from '../../src/cells/gru.ts';
import { gruLayerNorm } from '../../src/cells/layer_norm.ts';
import { lstm, lstmProjected } from '../../src/cells/lstm.ts';
import { withRecurrentDropout } from '../../src/cells/regularised.ts';
import { Random } from '../../src/core/random.ts';
import type { Shape } from '../../src/core/shape.ts';
import * as arith from '../../src/expr/arith.ts';
import { Expr, inputName } from '../../src/expr/expr.ts';
import { scalarOps } from '../../src/expr/scalar_ops.ts';
import { apply, applyAll, type Value } from '../../src/graph/value.ts';
import { LayerNorm } from '../../src/nn/layer_norm.ts';
import { checkpoint, enter } from '../../src/ops/checkpoint.ts';
import { composite } from '../../src/ops/composite.ts';
import { copyOp } from '../../src/ops/copy.ts';
import { dropout, dropoutMask } from '../../src/ops/dropout.ts';
import { elementwise } from '../../src/ops/elementwise.ts';
import { gather, scatterOp } from '../../src/ops/gather.ts';
import { linearScan, linearScanBackwardOp, linearScanOf } from '../../src/ops/linear_scan.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { recurrentBackwardOp } from '../../src/ops/recurrent.ts';
import { recurrent, recurrentSequence, type SequenceResult } from '../../src/ops/recurrent_sequence.ts';
import { loopOperands, type RecurrentOperands } from '../../src/ops/recurrent_schedule.ts';
import { applyNamed } from '../../src/graph/operands.ts';
import { sequenceMask } from '../../src/ops/sequence_mask.ts';
import { crossEntropyRows, softmaxCrossEntropy } from '../../src/ops/softmax_cross_entropy.ts';
import {
  broadcast,
  concat,
  constant,
  empty,
  gap,
  max,
  mean,
  reshape,
  slice,
  split,
  sum,
  transpose,
  zeros,
} from '../../src/ops/structure.ts';
import { grad } from '../../src/runtime/grad.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { Tensor } from '../../src/runtime/tensor.ts';
import { loopOf, packed } from '../recurrent_packing.ts';
import { runFused, runInputs, type RunSize } from '../recurrent_run.ts';
import {
  f32,
  i32,
  recurrentInputs,
  sample,
  sizeName,
  withMask,
  type InputSpec,
  type Sample,
} from './sample.ts';
import {
  fakeQuantizeDeviceSamples,
  fakeQuantizeSamples,
  recurrentF16GradientSamples,
  recurrentInt8Samples,
  recurrentPackSamples,
  recurrentRoundedSamples,
} from './packed_samples.ts';

const { abs, add, div, equal, exp, less, maximum, minimum, mul, relu, sigmoid, square, sub, tanh, where } =
  arith;

/** The numbers of each input, the same on every run. */
export function dataOf({ name, inputs }: Sample): (Float64Array | Int32Array)[] {
  const seed = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return inputs.map((input, i) => {
    const random = new Random(seed, i);
    const size = input.shape.reduce((a, b) => a * b, 1);
    return input.dtype === 'i32'
      ? Int32Array.from({ length: size }, () => random.integer(input.limit))
      : Float64Array.from({ length: size }, () => random.uniform(input.low, input.high));
  });
}

export function tensorsOf(runtime: Runtime, sample: Sample): Tensor[] {
  const data = dataOf(sample);
  return sample.inputs.map(({ shape }, i) => runtime.tensor(data[i], { shape }));
}

export function outputsOf({ build }: Sample, values: readonly Value[]): readonly Value[] {
  const built = build(...values);
  return Array.isArray(built) ? (built as readonly Value[]) : [built as Value];
}

/** A cell that no library has: two states, and a gate kept apart between two that are not. */
export const unusualCell: Cell = defineCell({
  name: 'unusual',
  gates: ['u', apart('n'), 'o'],
  states: ['h', 'm'],
  update: ({ u, n, o }, { h, m }) => {
    const keep = sigmoid(u);
    const candidate = tanh(add(n.input, mul(sigmoid(m), n.recurrent)));
    const next = add(mul(keep, m), mul(sub(1, keep), candidate));
    return { m: next, h: sub(mul(sigmoid(o), tanh(next)), mul(0.25, h)) };
  },
});

/** Every cell that the library declares, and the unusual one. */
export const allCells: readonly Cell[] = [...declaredCells, unusualCell];

// -- elementwise

/** Where a scalar operation has a value and a derivative. */
const domains: Partial<Record<string, readonly [number, number]>> = { log: [0.1, 3], sqrt: [0.1, 3] };
const secondDomains: Partial<Record<string, readonly [number, number]>> = { div: [0.5, 2] };

const scalarSamples = Object.entries(scalarOps).map(([op, { cpu }]) => {
  const [low, high] = domains[op] ?? [-3, 3];
  const [low2, high2] = secondDomains[op] ?? [low, high];
  const shape = [7, 5];
  const inputs = [f32(shape, low, high), f32(shape, low2, high2), f32(shape)].slice(0, cpu.length);
  return sample(`scalar ${op}`, inputs, (...x) => x[0].apply(op as arith.ScalarOpName, x));
});

const elementwiseSamples: Sample[] = [
  ...scalarSamples,
  ...[1, 2, 63, 64, 65, 1021].map((n) =>
    sample(`size ${n}`, [f32([n]), f32([n])], (a, b) => add(mul(a, 3), b)),
  ),
  sample('a scalar', [f32([])], (x) => tanh(x)),
  sample('rank 4', [f32([2, 3, 1, 5]), f32([3, 4, 1])], (a, b) => mul(a, b)),
  sample('rank 5 that collapses', [f32([2, 1, 3, 2, 5]), f32([5])], (a, b) => sub(a, b)),
  sample('row and column', [f32([3, 1]), f32([1, 5])], (a, b) => add(a, b)),
  sample('row over matrices', [f32([7]), f32([2, 3, 7])], (a, b) => div(b, add(square(a), 1))),
  sample('scalar over a matrix', [f32([]), f32([17, 3])], (a, b) => mul(a, b)),
  sample('numbers on either side', [f32([11])], (x) => sub(1, div(2, add(x, 3)))),
  sample('transposed', [f32([7, 13]), f32([13, 7])], (a, b) => add(transpose(a), b)),
  sample('three axes in another order', [f32([3, 5, 7]), f32([7, 3, 5])], (a, b) =>
    mul(transpose(a, [2, 0, 1]), b),
  ),
  sample('slices of one tensor', [f32([9, 10])], (x) => mul(slice(x, 1, 0, 5), sigmoid(slice(x, 1, 5)))),
  sample('a tensor and its transpose', [f32([5, 5])], (x) => sub(x, transpose(x))),
  sample('one tensor twice', [f32([13])], (x) => add(x, square(x))),
  sample(
    'seven inputs',
    Array.from({ length: 7 }, () => f32([3, 5])),
    (...x) => x.reduce((a, b) => add(mul(a, 0.5), b)),
  ),
  sample(
    'more inputs than one kernel reads',
    Array.from({ length: 12 }, () => f32([3, 5])),
    (...x) => x.reduce((a, b) => add(mul(a, 0.5), b)),
  ),
  sample('three outputs of one kernel', [f32([3, 7]), f32([7])], (a, b) => {
    const [x, y] = [Expr.input(inputName(0)), Expr.input(inputName(1))];
    return elementwise([add(x, y), mul(x, tanh(y)), maximum(x, y)], [a, b]);
  }),
  sample('four outputs of one kernel', [f32([5, 3]), f32([3])], (a, b) => {
    const [x, y] = [Expr.input(inputName(0)), Expr.input(inputName(1))];
    return elementwise([sub(x, y), mul(x, y), minimum(x, y), tanh(x)], [a, b]);
  }),
  sample('relu, minimum, maximum, where', [f32([31], -2, 2), f32([31], -2, 2)], (a, b) =>
    where(less(a, b), relu(a), minimum(abs(a), maximum(b, 0.1))),
  ),
  sample('equal', [f32([4, 4])], (x) => where(equal(x, transpose(x)), x, 0)),
  sample('five axes in another order', [f32([2, 3, 4, 3, 2])], (x) => tanh(transpose(x, [4, 3, 2, 1, 0]))),
  sample('six axes in another order, from an offset', [f32([2, 3, 2, 3, 2, 3]), f32([3, 1, 3, 1])], (a, b) =>
    mul(slice(transpose(a, [5, 2, 3, 4, 1, 0]), 0, 1), b),
  ),
  sample(
    'fused views of more axes than one launch walks',
    [f32([2, 3, 2, 3, 2]), f32([2, 1, 1]), f32([2])],
    (x, b, c) => add(transpose(mul(x, b), [4, 1, 2, 3, 0]), c),
  ),
  sample(
    'of five axes, written into a concat',
    [f32([2, 3, 2, 3, 2]), f32([3, 1, 3, 1]), f32([2, 3, 2, 3, 1])],
    (x, b, c) => concat([add(transpose(x, [0, 3, 2, 1, 4]), b), c], 4),
  ),
  sample('a chain in place', [f32([5, 7]), f32([7, 5])], (a, b) => {
    const product = exp(matmul(a, b));
    const share = div(product, reshape(sum(product, 1), [5, 1]));
    return tanh(mul(share, add(share, 1)));
  }),
  sample('a value read again after its reader', [f32([5, 7]), f32([7, 5])], (a, b) => {
    const product = matmul(a, b);
    const bent = tanh(product);
    return [bent, add(product, sum(bent))];
  }),
];

/** Grids past 65535 workgroups in x are folded over y. */
const foldedElementwise = sample('a grid folded over y', [f32([1459, 1]), f32([1, 1451])], (a, b) =>
  sub(a, b),
);

// -- matmul

const sizes: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [1, 7, 3],
  [3, 1, 17],
  [2, 4, 8],
  [4, 6, 5],
  [7, 33, 65],
  [17, 65, 33],
  [33, 3, 7],
  [65, 17, 1],
  [9, 130, 67],
  // Rows or columns whose neighbours lie four by four, of one operand or of both.
  [4, 4, 4],
  [1, 24, 20],
  [3, 8, 36],
  [4, 12, 20],
  [5, 8, 16],
  [12, 16, 3],
  [4, 7, 12],
  [33, 64, 36],
  // So long that k may be split, and large enough for tiles of a workgroup.
  [5, 261, 7],
  [8, 388, 36],
  [70, 300, 37],
];

const matmulSamples: Sample[] = [
  ...sizes.flatMap(([m, k, n]) =>
    [false, true].flatMap((transposeA) =>
      [false, true].map((transposeB) =>
        sample(
          `${m}×${k}×${n}${transposeA ? ', A transposed' : ''}${transposeB ? ', B transposed' : ''}`,
          [f32(transposeA ? [k, m] : [m, k]), f32(transposeB ? [n, k] : [k, n])],
          (a, b) => matmul(a, b, { transposeA, transposeB }),
        ),
      ),
    ),
  ),
  sample('one matrix, both operands', [f32([7, 7])], (a) => matmul(a, transpose(a))),
  sample('rows of many axes', [f32([2, 3, 5]), f32([5, 4])], (a, b) => matmul(a, b)),
  sample('rows that are no view', [f32([3, 2, 5]), f32([5, 4])], (a, b) =>
    matmul(transpose(a, [1, 0, 2]), b),
  ),
  sample('sliced operands', [f32([9, 11]), f32([11, 9])], (a, b) =>
    matmul(slice(slice(a, 0, 1, 8), 1, 3, 8), slice(slice(b, 0, 2, 7), 1, 1, 4)),
  ),
  sample('sliced operands that begin at a multiple of four', [f32([9, 16]), f32([16, 24])], (a, b) =>
    matmul(slice(slice(a, 0, 2, 7), 1, 4, 12), slice(slice(b, 0, 4, 12), 1, 8, 20)),
  ),
  sample('sliced operands that begin between', [f32([9, 16]), f32([16, 24])], (a, b) =>
    matmul(slice(slice(a, 0, 2, 7), 1, 3, 11), slice(slice(b, 0, 4, 12), 1, 7, 19)),
  ),
  sample('broadcast operands', [f32([1, 7]), f32([7, 1])], (a, b) =>
    matmul(broadcast(a, [5, 7]), broadcast(b, [7, 3])),
  ),
  sample('a constant operand', [f32([5, 7])], (a) => matmul(a, constant(0.5, [7, 3]))),
  sample('bias', [f32([17, 7]), f32([7, 5]), f32([5])], (a, b, c) => add(matmul(a, b), c)),
  sample('bias and tanh', [f32([3, 17]), f32([17, 33]), f32([33])], (a, b, c) => tanh(add(matmul(a, b), c))),
  sample('bias over a reshaped result', [f32([2, 3, 7]), f32([7, 5]), f32([5])], (a, b, c) =>
    relu(add(matmul(a, b), c)),
  ),
  sample('a column of factors', [f32([9, 7]), f32([7, 5]), f32([9, 1])], (a, b, c) => mul(matmul(a, b), c)),
  sample('residual that is an operand', [f32([7, 7]), f32([7, 7])], (a, b) => add(matmul(a, b), a)),
  sample('transposed residual', [f32([5, 7]), f32([7, 3]), f32([3, 5])], (a, b, c) =>
    sub(matmul(a, b), transpose(c)),
  ),
  sample(
    'five more inputs in the epilogue',
    [f32([5, 7]), f32([7, 3]), ...Array.from({ length: 5 }, () => f32([5, 3]))],
    (a, b, ...more) => more.reduce((x, y) => add(mul(x, y), 1), matmul(a, b)),
  ),
  sample(
    'six more inputs, too many for the epilogue',
    [f32([5, 7]), f32([7, 3]), ...Array.from({ length: 6 }, () => f32([5, 3]))],
    (a, b, ...more) => more.reduce((x, y) => add(mul(x, y), 1), matmul(a, b)),
  ),
  sample('two products in one sum', [f32([5, 7]), f32([7, 3]), f32([5, 2]), f32([2, 3])], (a, b, c, d) =>
    tanh(add(matmul(a, b), matmul(c, d))),
  ),
  sample('the product and its square', [f32([5, 7]), f32([7, 3])], (a, b) => {
    const product = matmul(a, b);
    return mul(product, tanh(product));
  }),
  sample('a transposed product with bias', [f32([5, 7]), f32([7, 3]), f32([5])], (a, b, c) =>
    add(transpose(matmul(a, b)), c),
  ),
  sample('written into columns', [f32([5, 7]), f32([7, 3]), f32([5, 2])], (a, b, c) =>
    concat([c, tanh(matmul(a, b)), c], 1),
  ),
  sample(
    'few results of a long k, with an epilogue that reads the result’s place',
    [f32([9, 517]), f32([517, 6]), f32([6]), f32([6, 9])],
    (a, b, c, d) => tanh(add(mul(add(matmul(a, b), c), 0.1), transpose(d))),
  ),
  sample('a long k, written into rows', [f32([512, 6]), f32([512, 34]), f32([2, 34])], (a, b, c) =>
    concat([c, matmul(transpose(a), b), c], 0),
  ),
  sample('slices of a large one', [f32([75, 40]), f32([40, 80])], (a, b) =>
    mul(matmul(slice(slice(a, 0, 3, 75), 1, 1, 38), slice(slice(b, 0, 2, 39), 1, 8, 77)), 0.5),
  ),
  sample('a chain', [f32([3, 5]), f32([5, 7]), f32([7, 2])], (a, b, c) => matmul(tanh(matmul(a, b)), c)),
];

// -- reduce

const reduceShapes: readonly (readonly [shape: Shape, axes: readonly number[]])[] = [
  [[1], [0]],
  [[7], [0]],
  [[1, 1], [1]],
  [[5, 7], [0]],
  [[5, 7], [1]],
  [
    [5, 7],
    [0, 1],
  ],
  [[3, 5, 7], [0]],
  [[3, 5, 7], [1]],
  [[3, 5, 7], [2]],
  [
    [3, 5, 7],
    [0, 2],
  ],
  [
    [3, 5, 7],
    [1, 2],
  ],
  [
    [2, 3, 5, 7],
    [1, 3],
  ],
  // From 64 on in two stages.
  [[64], [0]],
  [[4099], [0]],
  [[65, 3], [0]],
  [[3, 1021], [1]],
  [[1021, 3], [0]],
  [[2, 509, 3], [1]],
  [
    [67, 5, 61],
    [0, 2],
  ],
];

const reduceSamples: Sample[] = [
  ...reduceShapes.flatMap(([shape, axes]) => [
    sample(`sum of ${shape.join('×')} over ${axes}`, [f32(shape)], (x) => sum(x, axes)),
    sample(`maximum of ${shape.join('×')} over ${axes}`, [f32(shape, -5, -1)], (x) => max(x, axes)),
  ]),
  sample('mean', [f32([7, 13])], (x) => mean(x, 0)),
  sample('sum of a product', [f32([7, 91]), f32([7, 91])], (a, b) => sum(mul(a, b), 1)),
  sample('sum of squares', [f32([1021])], (x) => sum(square(x))),
  sample('maximum of an expression', [f32([5, 70]), f32([70])], (a, b) => max(exp(sub(a, b)), 1)),
  sample(
    'sum over seven inputs',
    Array.from({ length: 7 }, () => f32([5, 66])),
    (...x) =>
      sum(
        x.reduce((a, b) => add(mul(a, 0.5), b)),
        0,
      ),
  ),
  sample('of a transposed matrix', [f32([5, 70])], (x) => sum(transpose(x), 0)),
  sample('of a slice', [f32([9, 80])], (x) => sum(slice(slice(x, 0, 2, 7), 1, 3, 75), 1)),
  sample('of a broadcast', [f32([5, 1])], (x) => sum(broadcast(x, [5, 77]), 1)),
  sample('of constants', [], () => sum(constant(0.25, [5, 7]), 1)),
  sample('of an expression of constants', [f32([3])], (x) => add(sum(tanh(constant(0.25, [5, 3])), 0), x)),
  sample('as the gradient of a bias under a mean', [f32([5, 3]), f32([3])], (x, b) =>
    grad((bias: Value) => mean(add(x, bias)))(b),
  ),
  sample('of the transposed product', [f32([5, 7]), f32([7, 6])], (a, b) => sum(transpose(matmul(a, b)), 0)),
  sample(
    'of a product with a row, more groups of axes than the kernel walks',
    [f32([2, 3, 4, 5]), f32([5])],
    (x, b) => sum(mul(x, b), 1),
  ),
  ...[[0], [1, 3], [0, 2, 4], [0, 1, 2, 3, 4]].flatMap((axes) => [
    sample(`of five axes in another order, over ${axes}`, [f32([2, 3, 4, 3, 2])], (x) =>
      max(tanh(transpose(x, [4, 3, 2, 1, 0])), axes),
    ),
    sample(`of five axes, over ${axes}`, [f32([2, 3, 4, 3, 2])], (x) => sum(x, axes)),
    sample(`of constants of five axes, over ${axes}`, [], () => sum(constant(0.25, [2, 3, 4, 3, 2]), axes)),
  ]),
  sample('of six axes with every other factor', [f32([2, 3, 2, 3, 2, 3]), f32([3, 1, 3, 1, 3])], (a, b) =>
    sum(mul(a, b), [1, 3, 5]),
  ),
  sample(
    'of three axes, written into concats',
    [f32([2, 3, 4, 5]), f32([2, 3, 1]), f32([2, 2, 5])],
    (x, b, c) => concat([concat([sum(x, 3), b], 2), c], 1),
  ),
  sample('with a root on top', [f32([5, 66])], (x) => arith.sqrt(add(sum(square(x), 1), 1))),
  sample('as a layer norm', [f32([5, 3, 66]), f32([66]), f32([66])], (x, weight, bias) => {
    return new LayerNorm(66).forward(x, { weight, bias }).output;
  }),
  sample('as a layer norm over two axes, without parameters', [f32([2, 3, 4, 5])], (x) => {
    return new LayerNorm([4, 5], { elementwiseAffine: false }).forward(x, {}).output;
  }),
  sample('of a reduction', [f32([5, 7, 9])], (x) => max(sum(x, 2), 0)),
  sample('written into a concat', [f32([5, 66]), f32([3])], (a, b) => concat([b, sum(a, 1), b], 0)),
  sample('written into columns', [f32([5, 66]), f32([5, 1])], (a, b) =>
    concat([b, reshape(sum(a, 1), [5, 1])], 1),
  ),
];

// -- gather and scatter

const tables: readonly (readonly [rows: number, width: number, count: number])[] = [
  [1, 1, 1],
  [1, 3, 5],
  [7, 1, 13],
  [7, 3, 1],
  [13, 17, 31],
  [65, 33, 9],
];

const gatherSamples: Sample[] = [
  ...tables.map(([rows, width, count]) =>
    sample(`${count} of ${rows}×${width}`, [f32([rows, width]), i32([count], rows)], (t, i) => gather(t, i)),
  ),
  sample('indices of two axes', [f32([7, 5]), i32([3, 4], 7)], (t, i) => gather(t, i)),
  sample('of a transposed table', [f32([5, 7]), i32([11], 7)], (t, i) => gather(transpose(t), i)),
  sample('of a sliced table', [f32([9, 8]), i32([11], 5)], (t, i) =>
    gather(slice(slice(t, 0, 2, 7), 1, 1, 4), i),
  ),
  sample('of a computed table', [f32([7, 5]), i32([11], 7)], (t, i) => mul(gather(tanh(t), i), 2)),
  sample('twice from one table', [f32([7, 5]), i32([11], 7), i32([11], 7)], (t, i, j) =>
    mul(gather(t, i), gather(t, j)),
  ),
];

const foldedGather = sample('a grid folded over y', [f32([3, 1459]), i32([1451], 3)], (t, i) => gather(t, i));

// -- copy: of indices, shown by what they pick

const copySamples: Sample[] = [
  ...[1, 63, 64, 65, 1021].map((n) =>
    sample(`of ${n}`, [f32([n, 1]), i32([n], n)], (t, i) => gather(t, apply(copyOp, {}, [i]))),
  ),
  sample('of a slice', [f32([7, 2]), i32([5, 6], 7)], (t, i) =>
    gather(t, apply(copyOp, {}, [slice(i, 1, 1, 5)])),
  ),
  sample('of four axes in another order', [f32([7, 2]), i32([2, 3, 4, 5], 7)], (t, i) =>
    gather(t, apply(copyOp, {}, [transpose(i, [3, 1, 0, 2])])),
  ),
  sample('of five axes in another order', [f32([7, 2]), i32([2, 3, 2, 3, 2], 7)], (t, i) =>
    gather(t, apply(copyOp, {}, [transpose(i, [4, 3, 2, 1, 0])])),
  ),
  sample('of a broadcast', [f32([7, 2]), i32([3, 1], 7)], (t, i) =>
    gather(t, apply(copyOp, {}, [broadcast(i, [2, 3, 5])])),
  ),
];

// -- dropout

/** Any words of 32 bits, as seeds are. */
const seed = i32([2], 2 ** 32);
const drawn = (x: Value, p: number, key: Value, stream = 0): Value =>
  dropout(x, p, { seed: key, stream: () => stream });

const dropoutSamples: Sample[] = [
  ...[1, 3, 4, 5, 255, 256, 257, 1021].map((n) =>
    sample(`of ${n}`, [f32([n]), seed], (x, key) => drawn(x, 0.3, key)),
  ),
  sample('of a scalar, nearly never dropped', [f32([]), seed], (x, key) => drawn(x, 1e-9, key)),
  sample('of three axes, after an expression', [f32([3, 5, 7]), seed], (x, key) =>
    drawn(tanh(x), 0.5, key, 4_000_000_000),
  ),
  sample('of a transpose, before an expression', [f32([5, 9]), seed], (x, key) =>
    square(drawn(transpose(x), 0.9, key, 2)),
  ),
  sample('with a slice of seeds', [f32([5, 9]), i32([5], 2 ** 32)], (x, keys) =>
    drawn(x, 0.25, slice(keys, 0, 1, 3)),
  ),
  sample('two streams of one seed', [f32([5, 9]), seed], (x, key) =>
    drawn(drawn(x, 0.25, key, 0), 0.25, key, 1),
  ),
  sample('as a mask', [f32([5, 9]), seed], (x, key) => mul(x, dropoutMask([9], 0.5, key, 3))),
];

// -- sequence_mask

const sequenceMaskSamples: Sample[] = [
  ...(
    [
      [1, 1],
      [1, 7],
      [5, 1],
      [7, 9],
      [33, 5],
    ] as const
  ).map(([steps, batch]) =>
    sample(`${steps} steps of ${batch}`, [f32([steps, batch]), i32([batch], steps + 2)], (x, lengths) =>
      mul(x, sequenceMask(lengths, steps)),
    ),
  ),
  sample('alone', [i32([11], 9)], (lengths) => sequenceMask(lengths, 7)),
  sample('of a slice, transposed', [f32([4, 6]), i32([9], 7)], (x, lengths) =>
    mul(x, transpose(sequenceMask(slice(lengths, 0, 3, 7), 6))),
  ),
];

const scatterSamples: Sample[] = [
  ...tables.map(([rows, width, count]) =>
    sample(`${count} into ${rows}×${width}`, [f32([count, width]), i32([count], rows)], (x, i) =>
      apply(scatterOp, { rows }, [x, i]),
    ),
  ),
  sample('rows that nothing reaches', [f32([11, 3]), i32([11], 2)], (x, i) =>
    apply(scatterOp, { rows: 9 }, [x, i]),
  ),
  sample('of a transposed source', [f32([3, 11]), i32([11], 5)], (x, i) =>
    apply(scatterOp, { rows: 5 }, [transpose(x), i]),
  ),
  sample('as the gradient of gather', [f32([7, 5]), i32([3, 4], 7)], (t, i) =>
    grad((table: Value) => sum(square(gather(table, i))))(t),
  ),
];

// -- softmax cross-entropy

const logitShapes: readonly (readonly [rows: number, classes: number])[] = [
  [1, 1],
  [1, 7],
  [3, 1],
  [17, 65],
  [33, 3],
  [2, 257],
];

const softmaxSamples: Sample[] = [
  ...logitShapes.map(([n, c]) =>
    sample(`${n}×${c}`, [f32([n, c], -4, 4), i32([n], c)], (x, y) => softmaxCrossEntropy(x, y)),
  ),
  sample('three axes', [f32([2, 3, 5], -4, 4), i32([2, 3], 5)], (x, y) => softmaxCrossEntropy(x, y)),
  sample('transposed logits', [f32([5, 7], -4, 4), i32([7], 5)], (x, y) =>
    softmaxCrossEntropy(transpose(x), y),
  ),
  sample('mean loss', [f32([17, 5], -4, 4), i32([17], 5)], (x, y) => mean(softmaxCrossEntropy(x, y))),
  sample('ignored labels, and which rows count', [f32([17, 5], -4, 4), i32([17], 5)], (x, y) => {
    const { losses, counts } = crossEntropyRows(x, y, { ignoreIndex: 2 });
    return [losses, counts];
  }),
  ...logitShapes.map(([n, c]) =>
    sample(`smoothed, ${n}×${c}`, [f32([n, c], -4, 4), i32([n], c)], (x, y) =>
      softmaxCrossEntropy(x, y, { ignoreIndex: 1, labelSmoothing: 0.3 }),
    ),
  ),
];

/** Far apart: exp of them would overflow. */
const hugeLogits = sample('huge logits', [f32([5, 7], -2e4, 2e4), i32([5], 7)], (x, y) =>
  softmaxCrossEntropy(x, y),
);

const softmaxBackwardSamples: Sample[] = [
  ...logitShapes.map(([n, c]) =>
    sample(`${n}×${c}`, [f32([n, c], -4, 4), i32([n], c), f32([n])], (x, y, w) =>
      grad((logits: Value) => sum(mul(softmaxCrossEntropy(logits, y), w)))(x),
    ),
  ),
  sample('of the mean over three axes', [f32([2, 3, 5], -4, 4), i32([2, 3], 5)], (x, y) =>
    grad((logits: Value) => mean(softmaxCrossEntropy(logits, y)))(x),
  ),
  sample('smoothed, with ignored labels', [f32([19, 5], -4, 4), i32([19], 5), f32([19])], (x, y, w) =>
    grad((logits: Value) =>
      sum(mul(softmaxCrossEntropy(logits, y, { ignoreIndex: 3, labelSmoothing: 0.1 }), w)),
    )(x),
  ),
];

// -- recurrent

const hiddenSizes = [1, 3, 5, 16, 31, 64];
const batchSizes = [1, 2, 3, 5, 8, 9, 17];
const stepCounts = [1, 2, 5];

/** Cells with variational dropout are made of others. */
const droppedCells = [withRecurrentDropout(lstm), withRecurrentDropout(lstmProjected)];

/** Every cell at every hidden size it takes; all else takes turns. Many gates, rows and units at once compile slowly. */
const recurrentSizes: readonly RunSize[] = [...allCells, ...droppedCells].flatMap((cell, c) =>
  hiddenSizes
    .filter((hidden) => !cell.projects || hidden > 1)
    .map((hidden, h): RunSize => ({
      cell,
      hidden,
      batch: batchSizes[(6 * c + h + 1) % batchSizes.length],
      steps: stepCounts[(c + h) % stepCounts.length],
      bias: (c + h) % 2 === 0,
      pseudoLayers: (c + Math.floor(h / 2)) % 2 === 0 ? 1 : 2,
      masked: h % 2 === 1,
    })),
);

/** Layers that share each launch, of cells of every kind: of one phase and of two, with parts apart, late, or of the input alone. */
const stackedSizes: readonly RunSize[] = [
  elmanTanh,
  lstm,
  gru,
  lstmProjected,
  gruLayerNorm,
  minimalGatedUnit,
  indrnn,
].map((cell, c) => ({
  cell,
  hidden: [5, 8, 6][c % 3],
  batch: [3, 1, 5][(c + 1) % 3],
  steps: 1 + (c % 4),
  bias: c % 2 === 0,
  pseudoLayers: 2 + (c % 2),
  wavefront: true,
  masked: c % 4 === 1,
}));

const stackedMaskInputs = [
  f32([3, 2, 12]),
  f32([3, 2, 12]),
  f32([12, 4]),
  f32([12, 4]),
  f32([12, 4]),
  f32([2, 3, 2]),
];
/** Two layers of a GRU (T 3, B 2, H 4), each with a mask of its own. */
const stackedMasks = (x: Value, bias: Value, ...more: Value[]): Value[] => {
  const [lower, upper, ih, masks] = more;
  const mask = [0, 1].map((layer) => less(reshape(slice(masks, 0, layer, layer + 1), [3, 2]), 0.2));
  const { output, finals } = recurrentSequence(gru, {
    wavefront: true,
    products: [x, bias],
    weights: [{ hh: lower }, { hh: upper, ih }],
    mask,
  });
  return [output, ...finals];
};

const recurrentSamples: Sample[] = [
  ...[...recurrentSizes, ...stackedSizes].map((size) =>
    sample(sizeName(size), recurrentInputs(size), (...values) => {
      const { output, finals } = runFused(size, withMask(size, values));
      return [output, ...finals];
    }),
  ),
  sample('two layers', [f32([3, 2, 20]), f32([20, 5]), f32([2, 2, 5]), f32([5, 20])], (x, w, h, between) => {
    const first = recurrent(lstm, x, w, h).output;
    return recurrent(lstm, matmul(first, between), w, h).output;
  }),
  sample('of strided inputs', [f32([2, 3, 30]), f32([5, 20]), f32([2, 2, 10])], (x, w, h) => {
    const products = slice(transpose(x, [1, 0, 2]), 2, 3, 23);
    return recurrent(lstm, products, transpose(w), slice(h, 2, 0, 5)).output;
  }),
  sample('layers of which each is masked at other steps', stackedMaskInputs, stackedMasks),
  sample('from zeros, with a constant bias', [f32([3, 2, 9]), f32([9, 3])], (x, w) => {
    return recurrent(gru, x, w, zeros([1, 2, 3]), constant(0.5, [9])).output;
  }),
];

/** Each cell's weights for both passes, at sizes that no vec4 divides and at one that does. */
const packSamples: Sample[] = [...allCells, ...droppedCells].flatMap((cell, c) =>
  [5, 8].flatMap((hidden) => {
    const pseudoLayers = c % 2 === 0 ? 1 : 2;
    const size: RunSize = { cell, steps: 1, batch: 1, hidden, bias: true, pseudoLayers, masked: c % 3 === 0 };
    const stackable = cell.dropsRecurrent ? [] : [{ ...size, pseudoLayers: 3, wavefront: true }];
    return [size, ...stackable].flatMap((own) => {
      const matrices = runInputs(own).filter(({ name }) => /^weight_(h[hr]|ih)/.test(name));
      if (matrices.length === 0) return [];
      const inputs = matrices.map(({ shape }) => f32(shape));
      return [
        sample(sizeName(own), inputs, (...values) =>
          [false, true].flatMap((backward) => packed(loopOf(own), values, backward)),
        ),
      ];
    });
  }),
);

const weighted = (x: Value): Value => sum(mul(x, sigmoid(x)));
const sumOf = (values: readonly Value[]): Value => values.reduce((a, b) => add(a, b));

/** The backward op of a loop of one pseudo-layer by itself. */
function backwardAlone(cell: Cell, given: Partial<RecurrentOperands<Value>>): readonly Value[] {
  const size: RunSize = { cell, hidden: 5, bias: false, pseudoLayers: 1, masked: false, steps: 2, batch: 3 };
  const operands = loopOperands(given);
  const attrs = { ...loopOf(size), stream: 0 };
  return applyNamed(recurrentBackwardOp, attrs, operands);
}

const recurrentBackwardSamples: Sample[] = [
  ...[...recurrentSizes, ...stackedSizes].map((size) =>
    sample(sizeName(size), recurrentInputs(size), (...inputs) =>
      grad((values: Value[]) => {
        const { output, finals } = runFused(size, withMask(size, values));
        return add(weighted(output), sumOf(finals.map((final) => sum(square(final)))));
      })(inputs),
    ),
  ),
  ...[...allCells, ...droppedCells].flatMap((cell, c) => {
    const losses: Record<string, (run: SequenceResult) => Value> = {
      'of the output alone': ({ output }) => weighted(output),
      'of the final states alone': ({ finals }) => sumOf(finals.map(weighted)),
      'of plain sums': ({ output, finals }) => add(sum(output), sumOf(finals.map((final) => sum(final)))),
    };
    return Object.entries(losses).map(([what, loss], n) => {
      const size: RunSize = {
        cell,
        steps: 1 + 3 * ((c + n) % 2),
        batch: 3,
        hidden: 5,
        bias: true,
        pseudoLayers: (c + n) % 3 === 0 ? 2 : 1,
        masked: false,
      };
      return sample(`${sizeName(size)}, ${what}`, recurrentInputs(size), (...inputs) =>
        grad((values: Value[]) => loss(runFused(size, values)))(inputs),
      );
    });
  }),
  sample('layers of which each is masked at other steps', stackedMaskInputs, (...inputs) =>
    grad(([x, bias, ...more]: Value[]) => sumOf(stackedMasks(x, bias, ...more).map(weighted)))(inputs),
  ),
  sample(
    'on its own',
    [f32([1, 2, 3, 5]), f32([3 * 3 * 5]), f32([15]), f32([5, 5]), f32([2, 3, 1, 5])],
    (reserve, states, carry, w, d) =>
      backwardAlone(elmanTanh, {
        reserve: [reserve],
        states: [states],
        carry: [carry],
        weights: [w],
        dOutput: [d],
      }),
  ),
  sample(
    'of states that begin inside a tensor',
    [f32([1, 2, 3, 20]), f32([64 + 45]), f32([15]), f32([15, 5])],
    (reserve, x, carry, w) =>
      backwardAlone(gru, { reserve: [reserve], states: [slice(x, 0, 64)], carry: [carry], weights: [w] }),
  ),
];

// -- linear scan

/** Columns that fill no device and those that fill a small one; steps for one chunk, for whole chunks and for a rest. */
const scanShapes: readonly (readonly [steps: number, batch: number, hidden: number])[] = [
  [1, 1, 1],
  [1, 3, 5],
  [2, 1, 3],
  [3, 5, 7],
  [7, 3, 11],
  [64, 1, 1],
  [64, 5, 13],
  [129, 3, 5],
  [129, 1, 67],
  [1000, 1, 3],
];

interface ScanCase {
  readonly reverse: boolean;
  readonly initial: boolean;
}

const scanCases: readonly ScanCase[] = [false, true].flatMap((reverse) =>
  [false, true].map((initial) => ({ reverse, initial })),
);
const scanName = (shape: Shape, { reverse, initial }: ScanCase): string =>
  `${shape.join('×')}${reverse ? ', reversed' : ''}${initial ? ', from a state' : ''}`;
const scanInputs = (shape: Shape, { initial }: ScanCase): InputSpec[] => [
  f32(shape, -1, 1.1),
  f32(shape),
  ...(initial ? [f32(shape.slice(1))] : []),
];
const scan =
  ({ reverse }: ScanCase) =>
  (a: Value, b: Value, initial?: Value): Value =>
    linearScan(a, b, { reverse, ...(initial && { initial }) });

/** Two gates and a candidate, as a minimal LSTM has them. */
const [keepGate, inputGate, candidate] = [0, 1, 2].map((slot) => Expr.input(inputName(slot)));
const gatedStep = [sigmoid(sub(keepGate, inputGate)), mul(sigmoid(inputGate), tanh(candidate))] as const;
const gated = (reverse: boolean, x: Value, mask?: Value, initial?: Value): Value =>
  linearScanOf(gatedStep, [x], {
    reverse,
    ...(mask && { mask: less(mask, 0.3) }),
    ...(initial && { initial }),
  });

const linearScanSamples: Sample[] = [
  ...scanShapes.flatMap((shape) =>
    scanCases.map((kind) => sample(scanName(shape, kind), scanInputs(shape, kind), scan(kind))),
  ),
  sample('that forgets slowly', [f32([1000, 2, 3], 0.99, 1), f32([1000, 2, 3])], (a, b) => linearScan(a, b)),
  sample('that forgets at once', [f32([130, 2, 3]), f32([130, 2, 3])], (a, b) =>
    linearScan(mul(a, where(less(a, 0.5), 0, 1)), b),
  ),
  sample('of one value twice', [f32([65, 3, 5])], (x) => linearScan(x, x)),
  sample('over what it reads', [f32([65, 3, 5]), f32([65, 3, 5])], (a, b) =>
    linearScan(sigmoid(a), tanh(b), { reverse: true }),
  ),
  sample('over the values of both', [f32([65, 3, 5])], (x) => {
    const y = tanh(x);
    return linearScan(y, y);
  }),
  sample('of strided inputs', [f32([5, 70, 3]), f32([70, 4, 9]), f32([9, 7])], (a, b, initial) =>
    linearScan(transpose(a, [1, 2, 0]), slice(slice(b, 1, 1, 4), 2, 2, 7), {
      initial: transpose(slice(slice(initial, 0, 3, 8), 1, 2, 5)),
    }),
  ),
  sample('of one factor for each unit', [f32([7]), f32([65, 3, 7])], (a, b) =>
    linearScan(broadcast(sigmoid(a), [65, 3, 7]), b),
  ),
  sample('of constants', [f32([65, 3, 7])], (b) =>
    linearScan(constant(0.5, [65, 3, 7]), b, { initial: constant(2, [3, 7]) }),
  ),
  sample('written into columns', [f32([65, 3, 4]), f32([65, 3, 4])], (a, b) =>
    concat([linearScan(a, b), linearScan(a, b, { reverse: true })], 2),
  ),
  ...[5, 129].flatMap((steps) =>
    [false, true].flatMap((reverse) => {
      const name = `of gates, T ${steps}${reverse ? ', reversed' : ''}`;
      const x = f32([steps, 3, 3, 5], -3, 3);
      return [
        sample(name, [x], (x) => gated(reverse, x)),
        sample(`${name}, masked`, [x, f32([steps, 3])], (x, mask) => gated(reverse, x, mask)),
        sample(`${name}, masked, from a state`, [x, f32([steps, 3]), f32([3, 5])], (x, mask, initial) =>
          gated(reverse, x, mask, initial),
        ),
      ];
    }),
  ),
];

const linearScanBackwardSamples: Sample[] = [
  ...scanShapes.flatMap((shape) =>
    scanCases.map((kind) =>
      sample(scanName(shape, kind), [f32(shape), ...scanInputs(shape, kind)], (d, ...inputs) =>
        grad(([a, b, initial]: Value[]) => sum(mul(scan(kind)(a, b, initial), d)))(inputs),
      ),
    ),
  ),
  sample('of one value twice', [f32([65, 3, 5]), f32([65, 3, 5])], (x, d) =>
    grad((x: Value) => sum(mul(linearScan(x, x), d)))(x),
  ),
  sample('of a plain sum', [f32([65, 3, 5])], (x) => grad((x: Value) => sum(linearScan(sigmoid(x), x)))(x)),
  sample('of both directions in columns', [f32([65, 3, 4]), f32([65, 3, 8])], (x, d) =>
    grad((x: Value) => {
      const a = sigmoid(x);
      return sum(mul(concat([linearScan(a, x), linearScan(a, x, { reverse: true })], 2), d));
    })(x),
  ),
  ...[5, 129].flatMap((steps) =>
    [false, true].map((reverse) =>
      sample(
        `of gates, T ${steps}${reverse ? ', reversed' : ''}, masked`,
        [f32([steps, 3, 3, 5], -3, 3), f32([steps, 3]), f32([3, 5]), f32([steps, 3, 5])],
        (x, mask, initial, d) =>
          grad(([x, initial]: Value[]) => sum(mul(gated(reverse, x, mask, initial), d)))([x, initial]),
      ),
    ),
  ),
  ...[1, 65].flatMap((steps) =>
    [false, true].map((reverse) =>
      sample(
        `on its own, T ${steps}${reverse ? ', reversed' : ''}`,
        [f32([steps, 3, 3, 5], -3, 3), f32([steps, 3]), f32([steps, 3, 5]), f32([steps, 3, 5]), f32([3, 5])],
        (x, mask, h, d, initial) =>
          applyAll(
            linearScanBackwardOp,
            { reverse, step: gatedStep, operands: { sources: 1, mask: 1, h: 1, dH: 1, initial: 1 } },
            [x, less(mask, 0.3), h, d, initial],
          ),
      ),
    ),
  ),
];

// -- structure

/** x and tanh(x · w) + x · w. */
const twoOutputs = (x: Value, w: Value): readonly Value[] =>
  composite('two outputs', [x, w], [x, { shape: [x.shape[0], w.shape[1]], dtype: 'f32' }], ([a, b]) => {
    const product = matmul(a, b);
    return [mul(a, 2), add(tanh(product), product)];
  });
const lossOfTwoOutputs = ([x, w]: readonly Value[]): Value => {
  const [first, second] = twoOutputs(x, w);
  return add(sum(square(first)), sum(square(second)));
};

const checkpointInputs = [f32([5, 3]), f32([3, 3]), f32([3, 4])];

/** A chain whose second link reads what the first has made, both with the first weight. */
const checkpointed =
  (recompute: boolean) =>
  ([x, w, v]: readonly Value[]): Value => {
    const link = ([a, b]: readonly Value[]): Value[] => [tanh(matmul(a, b)), square(matmul(a, b))];
    const [first, other] = checkpoint(link, [x, w], recompute);
    const [second] = checkpoint(link, [first, w], recompute);
    return sum(mul(matmul(add(second, other), v), matmul(second, v)));
  };

const structureSamples: Record<string, readonly Sample[]> = {
  reshape: [
    sample('as a view', [f32([3, 10])], (x) => reshape(x, [5, 6])),
    sample('with -1', [f32([3, 10])], (x) => mul(reshape(x, [-1, 2]), 2)),
    sample('to a scalar', [f32([1, 1])], (x) => reshape(x, [])),
    sample('of a transpose: a copy', [f32([3, 7])], (x) => reshape(transpose(x), [21])),
    sample('of a slice: a copy', [f32([5, 7])], (x) => tanh(reshape(slice(x, 1, 1, 5), [20]))),
    sample('of a transpose, before a product', [f32([3, 5, 7]), f32([15, 2])], (x, w) =>
      matmul(reshape(transpose(x, [2, 0, 1]), [7, 15]), w),
    ),
    sample('that cuts a strided axis', [f32([6, 5])], (x) => mul(reshape(slice(x, 1, 1, 2), [2, 3]), 2)),
  ],
  transpose: [
    sample('of a matrix', [f32([3, 7])], (x) => transpose(x)),
    sample('all orders of three axes', [f32([2, 3, 5])], (x) =>
      [
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
      ].map((order) => transpose(x, order)),
    ),
    sample('of four axes', [f32([2, 3, 5, 7])], (x) => mul(transpose(x, [3, 1, 0, 2]), 2)),
    sample('of a transpose', [f32([2, 3, 5])], (x) => transpose(transpose(x, [1, 2, 0]), [1, 2, 0])),
  ],
  split: [
    sample('the front', [f32([7, 3])], (x) => slice(x, 0, 0, 1)),
    sample('the back', [f32([7, 3])], (x) => slice(x, 0, -2)),
    sample('columns', [f32([7, 5])], (x) => slice(x, 1, 1, 4)),
    sample('a part of a part', [f32([9, 9])], (x) => slice(slice(slice(x, 0, 1), 1, 2), 0, 3, 5)),
    sample('equal parts', [f32([5, 12])], (x) => split(x, 4).map((part, i) => mul(part, i + 1))),
    sample('given parts', [f32([12, 5])], (x) => split(x, [1, 7, 4], 0)),
    sample('of an expression', [f32([5, 12])], (x) => split(tanh(x), 2)),
    sample('of a part', [f32([5, 12])], (x) => split(split(x, [5, 7], 1)[1], [2, 3], 0)),
    sample('one of which is read', [f32([7, 3])], (x) => sum(square(split(x, [2, 5])[1]))),
    sample('of its columns', [f32([5, 12])], (x) => split(x, [1, 7, 4], 1)),
  ],
  composite: [
    sample('two outputs of two inputs', [f32([3, 4]), f32([4, 4])], (x, w) => twoOutputs(x, w)),
    // Both inputs are one tensor, and each has a gradient of its own.
    sample('one tensor twice', [f32([4, 4])], (x) => twoOutputs(x, x)[1]),
    sample('gradients', [f32([3, 4]), f32([4, 4])], (...inputs) => grad(lossOfTwoOutputs)(inputs)),
    sample('gradients of one tensor twice', [f32([4, 4])], (x) =>
      grad((value: Value) => lossOfTwoOutputs([value, value]))(x),
    ),
    sample('gradients of gradients', [f32([3, 4]), f32([4, 4])], (...inputs) =>
      grad((values: Value[]) =>
        grad(lossOfTwoOutputs)(values).reduce((total, d) => add(total, sum(square(d))), sum(values[0])),
      )(inputs),
    ),
  ],
  checkpoint: [
    sample('gradients of two layers', checkpointInputs, (...inputs) => grad(checkpointed(true))(inputs)),
    sample('gradients from what was stored', checkpointInputs, (...inputs) =>
      grad(checkpointed(false))(inputs),
    ),
    ...[true, false].map((recompute) =>
      sample(`an input given twice, ${recompute}`, [f32([3, 3])], (x) =>
        checkpoint(([b, c]) => [mul(b, matmul(b, c))], [x, x], recompute),
      ),
    ),
    sample('values', checkpointInputs, (x, w, v) => checkpointed(true)([x, w, v])),
    ...[true, false].map((recompute) =>
      sample(`a reshape that is reshaped again, ${recompute}`, [f32([3, 4])], (x) =>
        checkpoint(([y]) => [square(reshape(y, [12]))], [reshape(x, [2, 6])], recompute),
      ),
    ),
  ],
  after: [
    sample('gradients of two layers', checkpointInputs, (...inputs) => grad(checkpointed(true))(inputs)),
  ],
  enter: [
    sample('beside other readers', [f32([3, 3])], (x) => {
      const inner = enter(x);
      return add(matmul(inner, inner), x);
    }),
  ],
  broadcast: [
    sample('a scalar', [f32([])], (x) => broadcast(x, [3, 5])),
    sample('a column', [f32([5, 1])], (x) => broadcast(x, [5, 7])),
    sample('new axes', [f32([7])], (x) => mul(broadcast(x, [2, 3, 7]), 2)),
    sample('in the middle', [f32([3, 1, 5])], (x) => broadcast(x, [2, 3, 4, 5])),
    sample('of an expression', [f32([5, 1]), f32([5, 7])], (x, y) => mul(broadcast(tanh(x), [5, 7]), y)),
  ],
  concat: [
    ...[0, 1, 2, -1].map((axis) =>
      sample(`along axis ${axis}`, [f32([3, 5, 7]), f32([3, 5, 7])], (a, b) => concat([a, tanh(b), a], axis)),
    ),
    sample('of unequal pieces', [f32([3, 1]), f32([3, 5]), f32([3, 2])], (...x) => concat(x, 1)),
    sample('of constants', [f32([3, 2])], (x) => concat([zeros([3, 1]), x, constant(2, [3, 3])], 1)),
    sample('of one value twice', [f32([3, 5])], (x) => {
      const y = exp(x);
      return concat([y, y], 0);
    }),
    sample('of concats', [f32([3, 2]), f32([3, 5])], (a, b) => concat([concat([tanh(a), b], 1), exp(a)], 1)),
    sample('of a concat the other way', [f32([3, 2]), f32([2, 7])], (a, b) =>
      concat(
        [concat([tanh(a), exp(mul(a, 2)), slice(a, 1, 0, 1), slice(a, 1, 1), slice(a, 1, 0, 1)], 1), b],
        0,
      ),
    ),
    sample('of views', [f32([5, 7])], (x) =>
      concat([transpose(x), reshape(x, [7, 5]), slice(transpose(x), 0, 1, 3)], 0),
    ),
    sample('of products', [f32([5, 7]), f32([7, 3]), f32([7, 4])], (a, b, c) =>
      concat([matmul(a, b), matmul(a, c)], 1),
    ),
    sample('of a product and what reads it', [f32([5, 7]), f32([7, 7])], (a, b) => {
      const product = matmul(a, b);
      return concat([product, matmul(product, b)], 0);
    }),
    sample('whose maker is read again', [f32([5, 7])], (x) => {
      const y = tanh(x);
      return [concat([y, x], 0), mul(y, sum(y))];
    }),
    sample('cut again', [f32([5, 7]), f32([5, 2])], (a, b) => {
      const whole = concat([exp(a), b], 1);
      return [slice(whole, 1, 6, 9), sum(whole, 0)];
    }),
  ],
  constant: [
    sample('alone', [], () => constant(1.5, [3, 5])),
    sample('in an expression', [f32([3, 5])], (x) => add(mul(x, constant(2, [5])), constant(-1))),
    sample('as an operand', [f32([3, 5])], (x) => matmul(x, constant(0.1, [5, 2]))),
    sample('of which a part is read', [f32([2, 5])], (x) => matmul(x, slice(constant(0.1, [9, 2]), 0, 2, 7))),
  ],
  empty: [
    sample('behind what is read', [f32([3, 5])], (x) => slice(concat([tanh(x), empty([3, 2])], 1), 1, 0, 5)),
    sample(
      'as room for the apart slots of a cell',
      [f32([2, 3, 9]), f32([9, 3]), f32([1, 3, 3])],
      (x, w, h) => {
        return recurrent(gru, x, w, h).output;
      },
    ),
  ],
  gap: [
    sample('between pieces', [f32([3, 5])], (x) =>
      mul(concat([tanh(x), gap([3, 2]), exp(x)], 1), constant(2, [12])),
    ),
    sample('in front of a product', [f32([3, 5]), f32([7, 2])], (x, w) =>
      matmul(concat([gap([3, 2]), x], 1), w),
    ),
    sample('in the result', [f32([3, 5])], (x) => concat([x, gap([1, 5])], 0)),
  ],
};

/** By the name of the op. */
export const samples: Readonly<Record<string, readonly Sample[]>> = {
  elementwise: elementwiseSamples,
  matmul: matmulSamples,
  fake_quantize: fakeQuantizeSamples,
  reduce: reduceSamples,
  gather: gatherSamples,
  scatter: scatterSamples,
  softmax_cross_entropy: softmaxSamples,
  softmax_cross_entropy_backward: softmaxBackwardSamples,
  pack: [...packSamples, ...recurrentPackSamples([...allCells, ...droppedCells])],
  recurrent: [...recurrentSamples, ...recurrentRoundedSamples],
  recurrent_backward: recurrentBackwardSamples,
  linear_scan: linearScanSamples,
  linear_scan_backward: linearScanBackwardSamples,
  dropout: dropoutSamples,
  sequence_mask: sequenceMaskSamples,
  copy: copySamples,
  ...structureSamples,
};

const foldedSoftmax = sample('a grid folded over y', [f32([1_048_577, 1]), i32([1_048_577], 1)], (x, y) =>
  softmaxCrossEntropy(x, y),
);

/** Too large or too steep for finite differences. */
export const deviceSamples: Readonly<Record<string, readonly Sample[]>> = {
  elementwise: [foldedElementwise],
  gather: [foldedGather],
  fake_quantize: fakeQuantizeDeviceSamples,
  recurrent: recurrentInt8Samples([...allCells, ...droppedCells]),
  recurrent_backward: recurrentF16GradientSamples([...allCells, ...droppedCells]),
  softmax_cross_entropy: [hugeLogits, foldedSoftmax],
};
