import { add, mul, relu, sub, tanh } from '../../../src/expr/arith.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { broadcast, concat, constant, slice, transpose } from '../../../src/ops/structure.ts';
import { f32, sample, type Sample } from '../sample.ts';

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
  // Sizes that let kernels load vec4s of one operand or of both.
  [4, 4, 4],
  [1, 24, 20],
  [3, 8, 36],
  [4, 12, 20],
  [5, 8, 16],
  [12, 16, 3],
  [4, 7, 12],
  [33, 64, 36],
  // A k that is long enough for split-K, and sizes large enough for tiles of a workgroup.
  [5, 261, 7],
  [8, 388, 36],
  [70, 300, 37],
];

export const samples: readonly Sample[] = [
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
