import { add, mul, relu, square, tanh } from '../../../src/expr/arith.ts';
import type { Value } from '../../../src/graph/value.ts';
import { fakeQuantize, weightProduct } from '../../../src/ops/fake_quantize.ts';
import { matmul } from '../../../src/ops/matmul.ts';
import { concat, constant, slice, sum, transpose } from '../../../src/ops/structure.ts';
import type { PackedPrecision } from '../../../src/ops/weight_precision.ts';
import { grad } from '../../../src/train/grad.ts';
import { f32, roundingSample, sample, type Sample } from '../sample.ts';
import { packedPrecisions } from './shared/packed_precisions.ts';

type Size = readonly [m: number, k: number, n: number];

const productOf = ([m, k, n]: Size, precision: PackedPrecision): Sample =>
  roundingSample(`${precision}, ${m}×${k}×${n}`, [f32([m, k]), f32([n, k])], (x, w) =>
    weightProduct(x, w, precision),
  );
const productOverRows = ([m, k, n]: Size): Sample =>
  roundingSample(`f16, over rows, ${m}×${k}×${n}`, [f32([m, k]), f32([k, n])], (x, w) =>
    weightProduct(x, w, 'f16', 'rows'),
  );

/** Sizes that reach every variant: few rows and a long sum, and a tile in workgroup memory. */
const variantSizes: readonly Size[] = [
  [1, 300, 7],
  [33, 5, 34],
];

const deviceSizes: readonly Size[] = [
  [1, 1, 1],
  [1, 130, 33],
  [3, 7, 5],
  [8, 16, 16],
  [17, 9, 6],
  [64, 3, 40],
];

const productsOf = (sizes: readonly Size[]): Sample[] => [
  ...sizes.flatMap((size) => packedPrecisions.map((precision) => productOf(size, precision))),
  ...sizes.map(productOverRows),
];

/** Numbers that f16 holds as subnormal, small or normal, and those past its largest. */
const factors = [2 ** -20, 2 ** -12, 1, 2 ** 17];

/** Rounded weights that no kernel packs: read element by element, or over rows of int8. */
const roundedSamples: readonly Sample[] = packedPrecisions.flatMap((precision) => [
  ...[
    [1, 1],
    [3, 5],
    [40, 33],
    [5, 64],
  ].map(([rows, columns]) =>
    roundingSample(`${precision}, ${rows}×${columns}, as a tensor`, [f32([rows, columns])], (x) =>
      fakeQuantize(concat(factors.map((factor) => mul(x, factor))), precision),
    ),
  ),
  roundingSample(`${precision}, a part of the weights`, [f32([3, 6]), f32([12, 6])], (x, w) =>
    matmul(x, slice(fakeQuantize(w, precision), 0, 2, 7), { transposeB: true }),
  ),
]);

export const samples: readonly Sample[] = [
  // The weights are no input, so finite differences exist.
  sample('of a constant', [f32([1, 7])], (x) => weightProduct(x, constant(0.375, [3, 7]), 'f16')),
  ...productsOf(variantSizes),
  ...roundedSamples,
  roundingSample('int8, over rows', [f32([3, 5]), f32([5, 7])], (x, w) =>
    weightProduct(x, w, 'int8', 'rows'),
  ),
];

export const deviceSamples: readonly Sample[] = [
  ...productsOf(deviceSizes),
  ...packedPrecisions.flatMap((precision) => [
    roundingSample(`${precision}, of a strided input`, [f32([8, 12]), f32([5, 8])], (x, w) =>
      weightProduct(transpose(x), w, precision),
    ),
    roundingSample(`${precision}, weights inside a tensor`, [f32([3, 6]), f32([12, 9])], (x, w) =>
      weightProduct(x, slice(slice(w, 0, 2, 7), 1, 1, 7), precision),
    ),
    roundingSample(`${precision}, with bias and tanh`, [f32([2, 3, 6]), f32([5, 6]), f32([5])], (x, w, b) =>
      tanh(add(weightProduct(x, w, precision), b)),
    ),
    roundingSample(
      `${precision}, five more inputs in the epilogue`,
      [f32([5, 7]), f32([3, 7]), ...Array.from({ length: 5 }, () => f32([5, 3]))],
      (x, w, ...more) => more.reduce((a, b) => add(mul(a, b), 1), weightProduct(x, w, precision)),
    ),
    roundingSample(
      `${precision}, tiny weights and some that are 0`,
      [f32([3, 8]), f32([5, 8], -1e-4, 1e-4)],
      (x, w) => mul(weightProduct(x, relu(w), precision), 1e4),
    ),
  ]),
  roundingSample('f16, gradients', [f32([6, 7]), f32([5, 7]), f32([5])], (x, w, b) =>
    grad((values: Value[]) => sum(square(tanh(add(weightProduct(values[0], values[1], 'f16'), b)))))([x, w]),
  ),
];
