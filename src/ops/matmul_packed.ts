// The product with a matrix of weights that is rounded to a precision and read by the kernels as it lies packed.
import { GatewiseError, show } from '../core/errors.ts';
import { mul } from '../expr/arith.ts';
import { Expr, substitute } from '../expr/expr.ts';
import type { Region } from '../graph/launch.ts';
import { defineOp, expectValue, type Op, type Placed, type Signature, type Value } from '../graph/value.ts';
import { apply } from './apply.ts';
import { matmul, matmulOp } from './matmul.ts';
import { MAX_MATMUL_EXTRAS, PRODUCT, type MatmulAttrs } from './matmul_launch.ts';
import { matmulGPU, matmulVariants, partsOf } from './matmul_variants.ts';
import { reshape, transpose } from './structure.ts';
import { largestOfRows, packRows } from './weight_pack.ts';
import {
  checkWeightPrecision,
  QUAD_WORDS,
  quadsOf,
  roundedMatrix,
  type PackedPrecision,
  type WeightPrecision,
} from './weight_precision.ts';
import { inputName } from './wgsl_expression.ts';

/** Which axis of the weights (N, K) is summed over: `columns` for a · weightᵀ, `rows` for a · weight. */
type Over = 'columns' | 'rows';

export interface MatmulPackedAttrs extends MatmulAttrs {
  readonly precision: PackedPrecision;
  readonly over: Over;
}

/** Inputs before those that the epilogue reads: a, the weights, the weights packed, and of int8 their rows' largest. */
const leadingOf = (precision: PackedPrecision): number => (precision === 'int8' ? 4 : 3);
/** Inputs that its epilogue may read. */
export const maxExtrasOf = (precision: PackedPrecision): number =>
  MAX_MATMUL_EXTRAS + 3 - leadingOf(precision);

/** No gradient flows through numbers that were rounded to so few. */
export const noGradient = (what: string): GatewiseError =>
  new GatewiseError(
    'unsupported',
    `grad: ${what}: weights with precision 'int8' are for inference and have no gradient; train with 'f16' or 'float32'`,
  );

const sizesOf = (over: Over, [a, weight]: readonly Signature[]): { m: number; n: number; k: number } => ({
  m: a.shape[0],
  n: weight.shape[over === 'columns' ? 0 : 1],
  k: a.shape[1],
});

/** The same for the kernels of the matrix product: b is what lies packed, and the rows' largest are read by the epilogue. */
function asMatmul(placed: Placed<MatmulPackedAttrs>): Placed<MatmulAttrs> {
  const { precision, over, epilogue } = placed.attrs;
  const [a, weight, packed, ...rest] = placed.inputs;
  const [rows, columns] = weight.view.shape;
  const pitch = 4 * quadsOf(columns);
  const [shape, strides] =
    over === 'columns'
      ? [
          [columns, rows],
          [1, pitch],
        ]
      : [
          [rows, columns],
          [pitch, 1],
        ];
  const b: Region = {
    ...packed,
    view: { shape, strides, offset: (4 * packed.view.offset) / QUAD_WORDS[precision] },
  };
  if (precision === 'f16')
    return { ...placed, op: matmulOp, attrs: { precision, epilogue }, inputs: [a, b, ...rest] };
  const [largest, ...extras] = rest;
  const { offset, strides: step } = largest.view;
  const scale: Region = {
    ...largest,
    view: { shape: placed.outputs[0].view.shape, strides: [0, step[0]], offset },
  };
  const moved = extras.map((_, i) => [inputName(i + 2), Expr.input(inputName(i + 3))] as const);
  const product = mul(Expr.input(PRODUCT), Expr.input(inputName(2)));
  const [scaled] = substitute([epilogue], new Map([...moved, [PRODUCT, product]]));
  return {
    ...placed,
    op: matmulOp,
    attrs: { precision, epilogue: scaled },
    inputs: [a, b, scale, ...extras],
  };
}

export const matmulPackedOp: Op<MatmulPackedAttrs> = /* @__PURE__ */ defineOp({
  name: 'matmul_packed',
  summary:
    'a (M, K) · weights (N, K)ᵀ, or (M, N) · (N, K), with the weights rounded: as they are and packed, with int8 the largest of each row; then an expression as of `matmul`',
  infer: ({ over }, inputs) => {
    const { m, n } = sizesOf(over, inputs);
    return [{ shape: [m, n], dtype: 'f32' }];
  },
  readsStrided: (input) => input !== 2,
  writesStrided: true,
  // The kernels read the packed form, the reference the weights, so that check mode tries the packing too.
  reads: (_, inputs) => inputs.map((_, i) => (i === 1 ? 0 : Infinity)),
  cpu: ({ precision, over, epilogue }, [a, weight, ...rest], outputs) => {
    const { data, view } = roundedMatrix(precision, weight);
    const { shape, strides } = view;
    const b = over === 'rows' ? view : { ...view, shape: shape.toReversed(), strides: strides.toReversed() };
    matmulOp.cpu?.({ epilogue }, [a, { data, view: b }, ...rest.slice(leadingOf(precision) - 2)], outputs);
  },
  gpu: (placed, target, variant) => matmulGPU(asMatmul(placed), target, variant),
  variants: (placed, target) => matmulVariants(asMatmul(placed), target),
  scratch: ({ over }, inputs) => {
    const sizes = sizesOf(over, inputs);
    const parts = partsOf(sizes);
    return parts > 1 ? [parts * sizes.m * sizes.n] : [];
  },
  cost: ({ epilogue }, [a], [out]) => matmulOp.cost?.({ epilogue }, [a], [out]) ?? 0,
  grad: (node, [d]) => {
    const { precision, over } = node.attrs;
    const [a, weight] = node.inputs;
    if (precision === 'int8') throw noGradient('matmul_packed');
    if (d === undefined) return [];
    // The rounding has the gradient of doing nothing, so that the weights themselves move by steps that it would swallow.
    return over === 'columns'
      ? [weightProduct(d, weight, precision, 'rows'), matmul(transpose(d), a)]
      : [weightProduct(d, weight, precision, 'columns'), matmul(transpose(a), d)];
  },
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/**
 * `x · weightᵀ` with the weights (N, K) rounded to `precision`: x (…, K), the result (…, N). With `rows`, `x · weight`: x (…, N),
 * the result (…, K).
 * @throws GatewiseError `shape` where the sizes differ, `argument` for no precision, `unsupported` for int8 over rows.
 */
export function weightProduct(
  x: Value,
  weight: Value,
  precision: WeightPrecision = 'float32',
  over: Over = 'columns',
): Value {
  checkWeightPrecision('product', precision);
  if (precision === 'float32') return matmul(x, weight, { transposeB: over === 'columns' });
  expectValue('product: input', x, 'f32');
  expectValue('product: weights', weight, 'f32');
  if (precision === 'int8' && over === 'rows')
    throw new GatewiseError(
      'unsupported',
      "product: weights with precision 'int8' have a scale for each row, so that they cannot be summed over rows; transpose them, or take 'f16'",
    );
  const [rows, columns] = weight.shape;
  const depth = over === 'columns' ? columns : rows;
  if (weight.shape.length !== 2 || x.shape.at(-1) !== depth)
    throw new GatewiseError(
      'shape',
      `product: expected (…, ${depth}) for weights ${show(weight.shape)}, got ${show(x.shape)}`,
    );
  const largest = precision === 'int8' ? [largestOfRows(weight)] : [];
  const packed = packRows(precision, weight, largest);
  const attrs = { epilogue: Expr.input(PRODUCT), precision, over };
  const product = apply(matmulPackedOp, attrs, [reshape(x, [-1, depth]), weight, packed, ...largest]);
  return reshape(product, [...x.shape.slice(0, -1), over === 'columns' ? rows : columns]);
}
