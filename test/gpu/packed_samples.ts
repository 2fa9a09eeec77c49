// Samples of weights that are rounded and packed: products, recurrent cells both ways, and the packing itself.
import type { Cell } from '../../src/cells/cell.ts';
import { gru } from '../../src/cells/gru.ts';
import { lstm, lstmProjected } from '../../src/cells/lstm.ts';
import { add, mul, relu, square, tanh } from '../../src/expr/arith.ts';
import type { Value } from '../../src/graph/value.ts';
import { fakeQuantize, weightProduct } from '../../src/ops/fake_quantize.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { concat, constant, slice, sum, transpose } from '../../src/ops/structure.ts';
import type { PackedPrecision, WeightPrecision } from '../../src/ops/weight_precision.ts';
import { grad } from '../../src/runtime/grad.ts';
import { loopOf, packed } from '../recurrent_packing.ts';
import { runFused, runInputs, type RunSize } from '../recurrent_run.ts';
import { f32, recurrentInputs, sizeName, withMask, type InputSpec, type Sample } from './sample.ts';

const both: readonly PackedPrecision[] = ['f16', 'int8'];

const rounded = (name: string, inputs: readonly InputSpec[], build: Sample['build']): Sample => ({
  name,
  inputs,
  build,
  rounds: true,
});

/** Its weights have no steps: they are no input. */
const ofConstant: Sample = {
  name: 'of a constant',
  inputs: [f32([1, 7])],
  build: (x) => weightProduct(x, constant(0.375, [3, 7]), 'f16'),
};

type Size = readonly [m: number, k: number, n: number];

const productOf = ([m, k, n]: Size, precision: PackedPrecision): Sample =>
  rounded(`${precision}, ${m}×${k}×${n}`, [f32([m, k]), f32([n, k])], (x, w) =>
    weightProduct(x, w, precision),
  );
const productOverRows = ([m, k, n]: Size): Sample =>
  rounded(`f16, over rows, ${m}×${k}×${n}`, [f32([m, k]), f32([k, n])], (x, w) =>
    weightProduct(x, w, 'f16', 'rows'),
  );

/** For every variant: few rows and a long sum, and a tile in workgroup memory. */
const VARIANT_SIZES: readonly Size[] = [
  [1, 300, 7],
  [33, 5, 34],
];
const SIZES: readonly Size[] = [
  [1, 1, 1],
  [1, 130, 33],
  [3, 7, 5],
  [8, 16, 16],
  [17, 9, 6],
  [64, 3, 40],
];

const productsOf = (sizes: readonly Size[]): Sample[] => [
  ...sizes.flatMap((size) => both.map((precision) => productOf(size, precision))),
  ...sizes.map(productOverRows),
];

export const fakeQuantizeDeviceSamples: readonly Sample[] = [
  ...productsOf(SIZES),
  ...both.flatMap((precision) => [
    rounded(`${precision}, of a strided input`, [f32([8, 12]), f32([5, 8])], (x, w) =>
      weightProduct(transpose(x), w, precision),
    ),
    rounded(`${precision}, weights inside a tensor`, [f32([3, 6]), f32([12, 9])], (x, w) =>
      weightProduct(x, slice(slice(w, 0, 2, 7), 1, 1, 7), precision),
    ),
    rounded(`${precision}, with bias and tanh`, [f32([2, 3, 6]), f32([5, 6]), f32([5])], (x, w, b) =>
      tanh(add(weightProduct(x, w, precision), b)),
    ),
    rounded(
      `${precision}, five more inputs in the epilogue`,
      [f32([5, 7]), f32([3, 7]), ...Array.from({ length: 5 }, () => f32([5, 3]))],
      (x, w, ...more) => more.reduce((a, b) => add(mul(a, b), 1), weightProduct(x, w, precision)),
    ),
    rounded(
      `${precision}, tiny weights and some that are 0`,
      [f32([3, 8]), f32([5, 8], -1e-4, 1e-4)],
      (x, w) => mul(weightProduct(x, relu(w), precision), 1e4),
    ),
  ]),
  rounded('f16, gradients', [f32([6, 7]), f32([5, 7]), f32([5])], (x, w, b) =>
    grad((values: Value[]) => sum(square(tanh(add(weightProduct(values[0], values[1], 'f16'), b)))))([x, w]),
  ),
];

/** What is subnormal as an f16, what is small, what is usual, and what is past the largest. */
const FACTORS = [2 ** -20, 2 ** -12, 1, 2 ** 17];

/** Rounded weights as a tensor, which no kernel packs: read element by element, or over rows of int8. */
const roundedSamples: readonly Sample[] = both.flatMap((precision) => [
  ...[
    [1, 1],
    [3, 5],
    [40, 33],
    [5, 64],
  ].map(([rows, columns]) =>
    rounded(`${precision}, ${rows}×${columns}, as a tensor`, [f32([rows, columns])], (x) =>
      fakeQuantize(concat(FACTORS.map((factor) => mul(x, factor))), precision),
    ),
  ),
  rounded(`${precision}, a part of the weights`, [f32([3, 6]), f32([12, 6])], (x, w) =>
    matmul(x, slice(fakeQuantize(w, precision), 0, 2, 7), { transposeB: true }),
  ),
]);

export const fakeQuantizeSamples: readonly Sample[] = [
  ofConstant,
  ...productsOf(VARIANT_SIZES),
  ...roundedSamples,
  rounded('int8, over rows', [f32([3, 5]), f32([5, 7])], (x, w) => weightProduct(x, w, 'int8', 'rows')),
];

/** The packing of cells of one matrix and of two. */
export function recurrentPackSamples(cells: readonly Cell[]): Sample[] {
  return cells.flatMap((cell, c) => {
    const pseudoLayers = c % 2 === 0 ? 2 : 1;
    const size: RunSize = {
      cell,
      steps: 1,
      batch: 1,
      hidden: 5 + (c % 4),
      bias: true,
      pseudoLayers,
      masked: false,
    };
    const matrices = runInputs(size).filter(({ name }) => /^weight_h[hr]/.test(name));
    if (matrices.length === 0) return [];
    return both.map((precision) =>
      rounded(
        `${cell.name}, ${precision}`,
        matrices.map(({ shape }) => f32(shape)),
        (...values) =>
          (precision === 'f16' ? [false, true] : [false]).flatMap((backward) =>
            packed(loopOf(size), values, backward, precision),
          ),
      ),
    );
  });
}

const sizeOf = (cell: Cell, c: number, precision: WeightPrecision): RunSize => ({
  cell,
  hidden: [5, 8, 7, 6][c % 4],
  batch: [1, 3, 5][c % 3],
  steps: 2,
  bias: c % 2 === 0,
  pseudoLayers: c % 2 === 0 ? 1 : 2,
  masked: c % 3 === 1,
  precision,
});

const forward = (size: RunSize): Sample =>
  rounded(`${sizeName(size)}, ${String(size.precision)}`, recurrentInputs(size), (...values) => {
    const { output, finals } = runFused(size, withMask(size, values));
    return [output, ...finals];
  });

/** Two cells for every variant. */
export const recurrentRoundedSamples: readonly Sample[] = [
  ...both.flatMap((precision) => [lstm, gru].map((cell, c) => forward(sizeOf(cell, c + 1, precision)))),
  forward({ ...sizeOf(gru, 3, 'f16'), pseudoLayers: 3, wavefront: true }),
];

/** All cells as the device runs them: int8 forward, f16 forward and backward. */
export const recurrentInt8Samples = (cells: readonly Cell[]): Sample[] =>
  cells
    .filter((cell) => cell.recurrentGates.length > 0)
    .map((cell, c) => forward(sizeOf(cell, c, 'int8')))
    .filter((one) => !recurrentRoundedSamples.some(({ name }) => name === one.name));

const backward = (size: RunSize): Sample =>
  rounded(`${sizeName(size)}, ${String(size.precision)}`, recurrentInputs(size), (...inputs) =>
    grad((values: Value[]) => {
      const { output, finals } = runFused(size, withMask(size, values));
      return finals.reduce((total, final) => add(total, sum(square(final))), sum(square(output)));
    })(inputs),
  );

export const recurrentF16GradientSamples = (cells: readonly Cell[]): Sample[] =>
  cells.map((cell, c) => backward(sizeOf(cell, c, 'f16')));

/**
 * For the variants that keep weights over a launch, in two pseudoLayers and masked: several rows, and quads that slices do not
 * share evenly; two phases with vectors of two lengths, in each precision.
 */
const keptSizes: readonly RunSize[] = [
  { ...sizeOf(lstm, 7, 'float32'), hidden: 20, batch: 70 },
  ...(['float32', 'f16', 'int8'] as const).map((precision) => sizeOf(lstmProjected, 7, precision)),
];
export const keptSamples: Readonly<Record<string, readonly Sample[]>> = {
  recurrent: keptSizes.map(forward),
  recurrent_backward: keptSizes.filter(({ precision }) => precision !== 'int8').map(backward),
};
