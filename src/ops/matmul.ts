// The matrix product, over strided matrices, with an expression applied to each result (bias, activation, residual).
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { countOperations, Expr } from '../expr/expr.ts';
import { apply, defineOp, expectValue, isOp, type Op, type Signature, type Value } from '../graph/value.ts';
import { reshape, transpose, transposeOp } from './structure.ts';
import type { PackedPrecision } from './weight_precision.ts';

export interface MatmulAttrs {
  /** Expression applied to each result, named PRODUCT in it; it may read more inputs of the result's shape, by position. */
  readonly epilogue: Expr;
  /** Set by a backend that packs b. The inputs are then a, unrounded weights (N, K) or (K, N), packed words and scales. */
  readonly packed?: {
    readonly precision: PackedPrecision;
    /** Whether b is the transpose of the weights (N, K). */
    readonly transposed: boolean;
  };
}

/** The name of the product in an epilogue. */
export const PRODUCT = 'product';

/** The inputs of a product by name. */
export function matmulOperands<T>(
  { packed }: MatmulAttrs,
  [a, b, ...rest]: readonly T[],
): { readonly a: T; readonly b: T; readonly packed?: T; readonly scale?: T; readonly extras: readonly T[] } {
  if (packed === undefined) return { a, b, extras: rest };
  const [words, ...others] = rest;
  if (packed.precision === 'f16') return { a, b, packed: words, extras: others };
  const [scale, ...extras] = others;
  return { a, b, packed: words, scale, extras };
}

/** The sizes of a product (M, K) · (K, N). */
export function matmulSizes(
  { packed }: MatmulAttrs,
  [a, b]: readonly Pick<Signature, 'shape'>[],
): { readonly m: number; readonly n: number; readonly k: number } {
  return { m: a.shape[0], k: a.shape[1], n: b.shape[packed?.transposed === true ? 0 : 1] };
}

export const matmulOp: Op<MatmulAttrs> = /* @__PURE__ */ defineOp({
  name: 'matmul',
  summary: 'a (M, K) · b (K, N), with an expression applied to each result',
  infer: (attrs, [a, b]) => {
    const { m, n, k } = matmulSizes(attrs, [a, b]);
    if (a.shape.length !== 2 || b.shape.length !== 2 || sizeOf(b.shape) !== n * k)
      throw new GatewiseError(
        'shape',
        `matmul: expected (M, K) and (K, N) with one K, got ${show(a.shape)} and ${show(b.shape)}`,
      );
    return [{ shape: [m, n], dtype: 'f32' }];
  },
  // With packed weights a kernel reads only the packed input.
  reads: ({ packed }, inputs) => inputs.map((_, i) => (packed !== undefined && i === 1 ? 0 : Infinity)),
  cost: ({ epilogue }, [a], [out]) => (2 * a.shape[1] + countOperations([epilogue])) * sizeOf(out.shape),
  grad: (node, [d]) => {
    const [a, b] = node.inputs;
    if (d === undefined) return [];
    // The gradient of a transposed operand is computed in the operand's stored layout, which avoids a transpose.
    const isTransposed = (x: Value): boolean => isOp(x.node, transposeOp);
    const dA = isTransposed(a) ? transpose(matmul(b, transpose(d))) : matmul(d, transpose(b));
    const dB = isTransposed(b) ? transpose(matmul(transpose(d), a)) : matmul(transpose(a), d);
    return [dA, dB];
  },
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/**
 * `a · b`. Leading axes of `a` are flattened into rows: (…, M, K) · (K, N) is (…, M, N).
 * @throws GatewiseError `shape` where the inner sizes differ or `b` is not a matrix.
 */
export function matmul(
  a: Value,
  b: Value,
  options: { transposeA?: boolean; transposeB?: boolean } = {},
): Value {
  expectValue('matmul: first operand', a, 'f32');
  expectValue('matmul: second operand', b, 'f32');
  const left = options.transposeA ? transpose(a) : a;
  const right = options.transposeB ? transpose(b) : b;
  if (right.shape.length !== 2 || left.shape.length < 2 || left.shape.at(-1) !== right.shape[0]) {
    const flags = `${options.transposeA ? ', first transposed' : ''}${options.transposeB ? ', second transposed' : ''}`;
    throw new GatewiseError(
      'shape',
      `matmul: expected (…, M, K) and (K, N) with one K, got ${show(a.shape)} and ${show(b.shape)}${flags}`,
    );
  }
  const flat = reshape(left, [-1, right.shape[0]]);
  const product = apply(matmulOp, { epilogue: Expr.input(PRODUCT) }, [flat, right]);
  return reshape(product, [...left.shape.slice(0, -1), right.shape[1]]);
}
