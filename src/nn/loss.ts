// Losses: a scalar from a model's output and a target, averaged over all elements that count, as PyTorch does by default.
import { GatewiseError, show } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { sameShape, type DType } from '../core/shape.ts';
import { add, div, maximum, mul, neg, softplus, square, sub, where } from '../expr/arith.ts';
import { expectValue, type Value } from '../graph/value.ts';
import {
  checkCrossEntropyOptions,
  crossEntropyRows,
  type CrossEntropyOptions,
} from '../ops/softmax_cross_entropy.ts';
import { broadcast, constant, mean, reshape, sum } from '../ops/structure.ts';

export interface Loss {
  readonly name: string;
  /** What the target holds. */
  readonly targetDType: DType;
  /** Whether it is the same without the steps that the mask leaves out for every row. False where absent. */
  readonly ignoresPadding?: boolean;
  /**
   * @param mask f32 of the target's leading axes, such as (T, B): 1 where a target counts, 0 where it does not. The mean is
   *   over those that count; where none does, the loss and its gradient are 0, as in Keras (PyTorch's 0 / 0 is NaN, and
   *   would be in every weight after the step).
   */
  readonly apply: (output: Value, target: Value, mask?: Value) => Value;
}

/**
 * Cross-entropy with PyTorch's options: mean of -log softmax(output)[target], in nats, over the targets that are not
 * `ignoreIndex`; output f32 (…, C), target i32 (…). The classes are the last axis.
 */
export function crossEntropyWith(options: CrossEntropyOptions): Loss {
  checkOptions('crossEntropyWith', options, ['ignoreIndex', 'labelSmoothing']);
  checkCrossEntropyOptions('crossEntropyWith', options);
  return {
    name: 'crossEntropy',
    targetDType: 'i32',
    ignoresPadding: true,
    apply: (output, target, mask) => {
      if (mask === undefined) {
        const { losses, counts } = crossEntropyRows(output, target, options);
        return meanOf(losses, sum(counts));
      }
      const counted = weights('crossEntropy', mask, target);
      // What does not count is not looked at: there, padding may be NaN.
      const classes = broadcast(reshape(counted, [...target.shape, 1]), output.shape);
      const { losses, counts } = crossEntropyRows(where(classes, output, 0), target, options);
      return meanOf(where(counted, losses, 0), sum(mul(counts, counted)));
    },
  };
}

/** Cross-entropy as torch.nn.CrossEntropyLoss() has it: targets of -100 do not count. See `crossEntropyWith`. */
export const crossEntropy: Loss = /* @__PURE__ */ crossEntropyWith({});

/** Mean of (output - target)²; both f32 of one shape. */
export const mse: Loss = /* @__PURE__ */ elementLoss('mse', (output, target) => square(sub(output, target)));

/**
 * Binary cross-entropy of sigmoid(output), as torch.nn.BCEWithLogitsLoss: mean of -target·log σ(output) -
 * (1 - target)·log σ(-output), in nats, finite for every finite output; both f32 of one shape, targets 0 to 1.
 */
export const bceWithLogits: Loss = /* @__PURE__ */ elementLoss('bceWithLogits', (output, target) =>
  // Without 1 - σ and without a difference of large numbers.
  add(mul(target, softplus(neg(output))), mul(sub(1, target), softplus(output))),
);

/** The mean of an expression of output and target, element by element. */
function elementLoss(name: string, of: (output: Value, target: Value) => Value): Loss {
  return {
    name,
    targetDType: 'f32',
    ignoresPadding: true,
    apply: (output, target, mask) => {
      expectValue(`${name}: output`, output, 'f32');
      expectValue(`${name}: target`, target, 'f32');
      if (!sameShape(output.shape, target.shape)) {
        throw new GatewiseError(
          'shape',
          `${name}: expected a target of the output's shape ${show(output.shape)}, got ${show(target.shape)}`,
        );
      }
      if (mask === undefined) return mean(of(output, target));
      const counted = weights(name, mask, target);
      // What does not count is not looked at: there, padding may be NaN.
      const seen = (x: Value): Value => where(counted, x, 0);
      const values = where(counted, of(seen(output), seen(target)), 0);
      return meanOf(values, sum(counted));
    },
  };
}

/** The mask at each element of the target, as 1 or 0. */
function weights(name: string, mask: Value, target: Value): Value {
  expectValue(`${name}: mask`, mask, 'f32');
  if (!sameShape(mask.shape, target.shape.slice(0, mask.shape.length)))
    throw new GatewiseError(
      'shape',
      `${name}: expected a mask of the leading axes of the target ${show(target.shape)}, got ${show(mask.shape)}`,
    );
  const inner = target.shape.slice(mask.shape.length).map(() => 1);
  // Any other number than 0 counts, as in the layers.
  const counted = where(mask, constant(1, mask.shape), 0);
  return broadcast(reshape(counted, [...mask.shape, ...inner]), target.shape);
}

/** The mean of values that are 0 where they do not count; 0 where none does. */
function meanOf(values: Value, count: Value): Value {
  // The factor goes inside the sum, where it is fused, and is the gradient, too.
  return sum(mul(values, div(1, maximum(count, 1))));
}
