// The matrix product, over strided matrices, with an expression applied to each result (bias, activation, residual).
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { walk } from '../core/view.ts';
import { evaluator } from '../expr/evaluate.ts';
import { Expr } from '../expr/expr.ts';
import { defineOp, expectValue, type Op, type Value } from '../graph/value.ts';
import { apply } from './apply.ts';
import { PRODUCT, type MatmulAttrs } from './matmul_launch.ts';
import { matmulGPU, matmulVariants, partsOf } from './matmul_variants.ts';
import { reshape, transpose, transposeOp } from './structure.ts';
import { countOperations, inputName } from './wgsl_expression.ts';

export const matmulOp: Op<MatmulAttrs> = /* @__PURE__ */ defineOp({
  name: 'matmul',
  summary: 'a (M, K) · b (K, N), with an expression applied to each result',
  infer: (_, [a, b]) => {
    if (a.shape.length !== 2 || b.shape.length !== 2 || a.shape[1] !== b.shape[0]) {
      throw new GatewiseError(
        'shape',
        `matmul: expected (M, K) and (K, N) with one K, got ${show(a.shape)} and ${show(b.shape)}`,
      );
    }
    return [{ shape: [a.shape[0], b.shape[1]], dtype: 'f32' }];
  },
  readsStrided: () => true,
  writesStrided: true,
  cpu: ({ epilogue }, [a, b, ...extras], [out]) => {
    const [m, k] = a.view.shape;
    const n = b.view.shape[1];
    const [aRow, aColumn] = a.view.strides;
    const [bRow, bColumn] = b.view.strides;
    const product = new Float64Array(m * n);
    const row = new Float64Array(n);
    for (let i = 0; i < m; i++) {
      row.fill(0);
      for (let l = 0; l < k; l++) {
        const factor = a.data[a.view.offset + i * aRow + l * aColumn];
        let at = b.view.offset + l * bRow;
        for (let j = 0; j < n; j++, at += bColumn) row[j] += factor * b.data[at];
      }
      product.set(row, i * n);
    }
    const evaluate = evaluator([epilogue], [PRODUCT, ...extras.map((_, i) => inputName(i + 2))]);
    const values = new Float64Array(1 + extras.length);
    const result = new Float64Array(1);
    let next = 0;
    walk([out.view, ...extras.map(({ view }) => view)], (at) => {
      values[0] = product[next++];
      extras.forEach(({ data }, i) => (values[i + 1] = data[at[i + 1]]));
      evaluate(values, result);
      out.data[at[0]] = result[0];
    });
  },
  gpu: matmulGPU,
  variants: matmulVariants,
  // For sums over parts of k, should the device take that way.
  scratch: (_, [a, b]) => {
    const [m, k] = a.shape;
    const n = b.shape[1];
    const parts = partsOf({ m, n, k });
    return parts > 1 ? [parts * m * n] : [];
  },
  cost: ({ epilogue }, [a], [out]) => (2 * a.shape[1] + countOperations([epilogue])) * sizeOf(out.shape),
  grad: (node, [d]) => {
    const [a, b] = node.inputs;
    if (d === undefined) return [];
    // The gradient of a transposed operand is made the way its owner stores it, so that nothing has to be transposed.
    const isTransposed = (x: Value): boolean => x.node?.op.name === transposeOp.name;
    const dA = isTransposed(a) ? transpose(matmul(b, transpose(d))) : matmul(d, transpose(b));
    const dB = isTransposed(b) ? transpose(matmul(transpose(d), a)) : matmul(transpose(a), d);
    return [dA, dB];
  },
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/**
 * `a · b`. Axes of `a` in front of its last two are rows too: (…, M, K) · (K, N) is (…, M, N).
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
