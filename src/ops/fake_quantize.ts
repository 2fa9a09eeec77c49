// Fake quantization (as in PyTorch): weights rounded to the precision in which they are stored, with a straight-through gradient.
// Kernels that read packed weights replace it by packing.
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { abs } from '../expr/arith.ts';
import { apply, defineOp, expectValue, isOp, type Op, type Value } from '../graph/value.ts';
import { isTransposed, resolveViews } from '../graph/views.ts';
import { matmul } from './matmul.ts';
import { max } from './structure.ts';
import {
  checkWeightPrecision,
  roundingFlop,
  type PackedPrecision,
  type WeightPrecision,
} from './weight_precision.ts';

export interface FakeQuantizeAttrs {
  readonly precision: PackedPrecision;
}

export const fakeQuantizeOp: Op<FakeQuantizeAttrs> = /* @__PURE__ */ defineOp({
  name: 'fake_quantize',
  summary: 'weights (N, K) rounded to f16, or to int8 by the largest magnitude of each row (N)',
  infer: (_, [weight]) => [weight],
  cost: ({ precision }, [weight]) => roundingFlop(precision) * sizeOf(weight.shape),
  grad: ({ attrs, inputs }, [d]) => {
    if (attrs.precision === 'int8')
      throw new GatewiseError(
        'unsupported',
        "grad: weights with precision 'int8' are for inference and have no gradient; train with 'f16' or 'float32'",
      );
    // Straight-through estimator: updates smaller than a rounding step accumulate in the float32 weights.
    return inputs.map((_, i) => (i === 0 ? d : undefined));
  },
  tolerance: { absolute: 0, relative: 1e-6 },
});

/**
 * Rounds `weight` (N, K) to `precision`; float32 returns `weight`. The gradient passes straight through; int8 has none.
 * @throws GatewiseError `argument` for an unknown precision, `shape` where `weight` is not a matrix.
 */
export function fakeQuantize(weight: Value, precision: WeightPrecision): Value {
  checkWeightPrecision('fakeQuantize', precision);
  expectValue('fakeQuantize: weights', weight, 'f32');
  if (precision === 'float32') return weight;
  if (weight.shape.length !== 2)
    throw new GatewiseError('shape', `fakeQuantize: expected weights (N, K), got ${show(weight.shape)}`);
  const largest = precision === 'int8' ? [max(abs(weight), 1)] : [];
  return apply(fakeQuantizeOp, { precision }, [weight, ...largest]);
}

/**
 * The product of x and the weights (N, K), rounded to `precision`.
 * @param over The axis of the weights that the product sums over: `columns` is x (…, K) · weightᵀ to (…, N), `rows` is
 *   x (…, N) · weight to (…, K).
 * @throws GatewiseError as `fakeQuantize` and `matmul` do.
 */
export function weightProduct(
  x: Value,
  weight: Value,
  precision: WeightPrecision = 'float32',
  over: 'columns' | 'rows' = 'columns',
): Value {
  return matmul(x, fakeQuantize(weight, precision), { transposeB: over === 'columns' });
}

/** The weights that a quantized value was rounded from. */
export interface QuantizedWeight {
  readonly precision: PackedPrecision;
  readonly weight: Value;
  /** With int8, the largest magnitude of each row. */
  readonly scales: readonly Value[];
  /** Whether the value is the transpose. */
  readonly transposed: boolean;
}

/** The weights that a value, or its transpose, was rounded from; undefined if the value is neither. */
export function quantizedWeight(value: Value): QuantizedWeight | undefined {
  const source = resolveViews(value);
  const { node } = source.base;
  const transposed = isTransposed(source);
  if (!isOp(node, fakeQuantizeOp) || transposed === undefined) return undefined;
  const [weight, ...scales] = node.inputs;
  return { precision: node.attrs.precision, weight, scales, transposed };
}
