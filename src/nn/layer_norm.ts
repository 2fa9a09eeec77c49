// PyTorch's nn.LayerNorm (Ba et al., "Layer normalization", 2016).
import { GatewiseError, show } from '../core/errors.ts';
import { checkFlag, checkOptions } from '../core/options.ts';
import { sameShape, sizeOf, type Shape } from '../core/shape.ts';
import { add, div, mul, sqrt, square, sub } from '../expr/arith.ts';
import { Expr } from '../expr/expr.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { elementwise } from '../ops/elementwise.ts';
import { broadcast, reshape, sum } from '../ops/structure.ts';
import { inputName } from '../expr/operands.ts';
import { checkSize, parameterOf, type Layer, type Parameter, type Values } from './layer.ts';

export interface LayerNormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number;
  /** Whether there is a `weight`, and a `bias` unless that is false; true unless given. */
  readonly elementwiseAffine?: boolean;
  /** Whether there is a `bias` beside the `weight`; true unless given. */
  readonly bias?: boolean;
}

/**
 * y = (x - mean) / √(variance + eps) · weight + bias over the last axes, whose sizes are `normalizedShape`; x and y are
 * f32 (…, normalizedShape). The variance is the mean of (x - mean)², with nothing subtracted from the count.
 */
export class LayerNorm implements Layer {
  readonly name = 'LayerNorm';
  readonly parameters: readonly Parameter[];
  readonly states = [] as const;
  readonly inputDType = 'f32';
  readonly timeAxis = undefined;
  readonly ignoresPadding: boolean;
  readonly normalizedShape: Shape;
  readonly eps: number;
  readonly elementwiseAffine: boolean;
  readonly bias: boolean;

  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    checkOptions('LayerNorm', options, ['eps', 'elementwiseAffine', 'bias']);
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options;
    const shape = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
    if (!Array.isArray(shape) || shape.length === 0)
      throw new GatewiseError(
        'argument',
        `LayerNorm: normalizedShape must be a size or a list of at least one, got ${show(normalizedShape)}`,
      );
    for (const size of shape) checkSize('LayerNorm', 'normalizedShape', size);
    checkFlag('LayerNorm', 'elementwiseAffine', elementwiseAffine);
    checkFlag('LayerNorm', 'bias', bias);
    if (!(Number.isFinite(eps) && eps >= 0))
      throw new GatewiseError('argument', `LayerNorm: eps must be a number of at least 0, got ${show(eps)}`);
    this.normalizedShape = shape;
    // A mean over more axes may be one over steps.
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

  forward(x: Value, parameters: Values): { output: Value; states: Values } {
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
    // Sums are divided where they are read: times 1 / count, which is rounded, every mean would be off to one side.
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
 * One expression of several values. It is one step of the plan and so is each of its derivatives, which compute it again
 * from the inputs: word by word, all that lies between would be kept for the backward pass.
 */
function pointwise(inputs: readonly Value[], expression: (...inputs: Expr[]) => Expr): Value {
  return elementwise([expression(...inputs.map((_, i) => Expr.input(inputName(i))))], inputs)[0];
}
