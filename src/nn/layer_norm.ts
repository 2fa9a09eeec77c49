// PyTorch's nn.LayerNorm (Ba et al., "Layer normalization", 2016).
import { GatewiseError, show } from '../core/errors.ts';
import { flag, nonNegative, readOption, readOptions, size, unchecked } from '../core/options.ts';
import { sameShape, sizeOf, type Shape } from '../core/shape.ts';
import { add, div, mul, sqrt, square, sub } from '../expr/arith.ts';
import { Expr, inputName } from '../expr/expr.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { elementwise } from '../ops/elementwise.ts';
import { broadcast, reshape, sum } from '../ops/structure.ts';
import { parameterOf, type Layer, type LayerResult, type Parameter, type Values } from './layer.ts';

export interface LayerNormOptions {
  /** The sizes of the last axes, over which it normalises; a number for one axis. */
  readonly normalizedShape: number | readonly number[];
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number;
  /** Whether there is a `weight` and, unless `bias` is false, a `bias`; true unless given. */
  readonly elementwiseAffine?: boolean;
  /** Whether there is a `bias` beside the `weight`; true unless given. */
  readonly bias?: boolean;
}

const OPTIONS = {
  normalizedShape: unchecked<LayerNormOptions['normalizedShape']>(),
  eps: nonNegative(1e-5),
  elementwiseAffine: flag(true),
  bias: flag(true),
};

/**
 * Maps x, f32 (…, normalizedShape), to y = (x - mean) / √(variance + eps) · weight + bias of the same shape. Mean and variance
 * are over the last axes, whose sizes are `normalizedShape`; the variance is biased: the mean of (x - mean)².
 */
export class LayerNorm implements Layer {
  readonly name = 'LayerNorm';
  readonly parameters: readonly Parameter[];
  readonly states = [] as const;
  readonly inputDType = 'f32';
  readonly timeAxis = undefined;
  readonly ignoresPadding: boolean;
  readonly perStep = true;
  readonly normalizedShape: Shape;
  readonly eps: number;
  readonly elementwiseAffine: boolean;
  readonly bias: boolean;

  constructor(options: LayerNormOptions) {
    const { normalizedShape, eps, elementwiseAffine, bias } = readOptions('LayerNorm', OPTIONS, options);
    const shape = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
    if (!Array.isArray(shape) || shape.length === 0)
      throw new GatewiseError(
        'argument',
        `LayerNorm: normalizedShape must be a size or a list of at least one, got ${show(normalizedShape)}`,
      );
    for (const n of shape) readOption('LayerNorm', 'normalizedShape', size(), n);
    this.normalizedShape = shape;
    // With more axes the mean may include the axis of time, and with it padding.
    this.ignoresPadding = shape.length === 1;
    this.eps = eps;
    this.elementwiseAffine = elementwiseAffine;
    this.bias = elementwiseAffine && bias;
    const parameter = (name: string, value: number): Parameter => ({ name, shape, initial: () => value });
    this.parameters = [
      ...(elementwiseAffine ? [parameter('weight', 1)] : []),
      ...(this.bias ? [parameter('bias', 0)] : []),
    ];
  }

  forward(x: Value, parameters: Values): LayerResult {
    expectValue('LayerNorm: input', x, 'f32');
    const first = x.shape.length - this.normalizedShape.length;
    if (first < 0 || !sameShape(x.shape.slice(first), this.normalizedShape)) {
      throw new GatewiseError(
        'shape',
        `LayerNorm: expected input (…, ${this.normalizedShape.join(', ')}), got ${show(x.shape)}`,
      );
    }
    const axes = this.normalizedShape.map((_, i) => first + i);
    const kept = x.shape.map((n, axis) => (axis < first ? n : 1));
    const sumOf = (values: Value): Value => broadcast(reshape(sum(values, axes), kept), x.shape);
    // Sums are divided by the count, not multiplied by 1 / count: that factor is rounded and would bias every mean.
    const count = sizeOf(this.normalizedShape);
    const centre = (x: Expr, total: Expr): Expr => sub(x, div(total, count));
    const total = sumOf(x);
    const squares = sumOf(pointwise([x, total], (x, total) => square(centre(x, total))));
    const affine = this.parameters.map(({ name }) => parameterOf(this, parameters, name));
    const output = pointwise([x, total, squares, ...affine], (x, total, squares, weight, bias) => {
      const normal = div(centre(x, total), sqrt(add(div(squares, count), this.eps)));
      const scaled = this.elementwiseAffine ? mul(normal, weight) : normal;
      return this.bias ? add(scaled, bias) : scaled;
    });
    return { output, states: {} };
  }
}

/**
 * Applies one expression to several values, broadcast to one shape, as a single op. Its derivatives are single ops too and
 * recompute intermediate results from the inputs, so none of them is saved for the backward pass.
 */
function pointwise(inputs: readonly Value[], expression: (...inputs: Expr[]) => Expr): Value {
  return elementwise([expression(...inputs.map((_, i) => Expr.input(inputName(i))))], inputs)[0];
}
