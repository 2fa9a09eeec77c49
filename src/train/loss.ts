// Losses: a scalar from a model's output and a target, averaged over all unmasked elements (PyTorch's reduction='mean').
import { GatewiseError, show } from '../core/errors.ts';
import { readOptions } from '../core/options.ts';
import { sameShape, type DType } from '../core/shape.ts';
import { add, div, maximum, mul, neg, softplus, square, sub, where } from '../expr/arith.ts';
import { expectValue, type Value } from '../graph/value.ts';
import {
  crossEntropyOptions,
  crossEntropyRows,
  type CrossEntropyOptions,
} from '../ops/softmax_cross_entropy.ts';
import { broadcast, constant, mean, reshape, sum } from '../ops/structure.ts';

export interface Loss {
  readonly name: string;
  /** f32 for targets that are numbers, i32 for class indices. */
  readonly targetDType: DType;
  /** Whether steps that are masked in every row can be cut off without changing the loss. False where absent. */
  readonly ignoresPadding?: boolean;
  /**
   * @param mask f32 of the target's leading axes, such as (T, B): 1 for targets that count, 0 for masked ones. The mean is
   *   over those that count. If none does, the loss and its gradient are 0, as in Keras: PyTorch's 0 / 0 is NaN, which the
   *   step would write into every weight.
   */
  readonly apply: (output: Value, target: Value, mask?: Value) => Value;
}

/**
 * Cross-entropy with PyTorch's options. output: f32 (…, C), one logit per class; target: i32 (…), a class each. The loss is
 * the mean of -log softmax(output)[target], in nats, over the targets that are not `ignoreIndex`.
 */
export function crossEntropyWith(options: CrossEntropyOptions): Loss {
  const attrs = readOptions('crossEntropyWith', crossEntropyOptions, options);
  return {
    name: 'crossEntropy',
    targetDType: 'i32',
    ignoresPadding: true,
    apply: (output, target, mask) => {
      if (mask === undefined) {
        const { losses, counts } = crossEntropyRows(output, target, attrs);
        return meanOf(losses, sum(counts));
      }
      const counted = weights('crossEntropy', mask, target);
      // Padding may hold NaN, so masked logits are replaced before the softmax.
      const classes = broadcast(reshape(counted, [...target.shape, 1]), output.shape);
      const { losses, counts } = crossEntropyRows(where(classes, output, 0), target, attrs);
      return meanOf(where(counted, losses, 0), sum(mul(counts, counted)));
    },
  };
}

/** `crossEntropyWith({})`, as torch.nn.CrossEntropyLoss(): targets of -100 are ignored. */
export const crossEntropy: Loss = /* @__PURE__ */ crossEntropyWith({});

/** output, target: f32 of one shape. Mean of (output - target)². */
export const mse: Loss = /* @__PURE__ */ elementLoss('mse', (output, target) => square(sub(output, target)));

/**
 * output, target: f32 of one shape, targets from 0 to 1. Binary cross-entropy of sigmoid(output), in nats, as
 * torch.nn.BCEWithLogitsLoss: mean of -target·log σ(output) - (1 - target)·log σ(-output), finite for every finite output.
 */
export const bceWithLogits: Loss = /* @__PURE__ */ elementLoss('bceWithLogits', (output, target) =>
  // By softplus: 1 - σ loses precision for large outputs, and a difference of large numbers does too.
  add(mul(target, softplus(neg(output))), mul(sub(1, target), softplus(output))),
);

/** A loss that is the mean of an elementwise expression of output and target. */
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
      // Padding may hold NaN, so masked elements are replaced before the loss of each.
      const seen = (x: Value): Value => where(counted, x, 0);
      const values = where(counted, of(seen(output), seen(target)), 0);
      return meanOf(values, sum(counted));
    },
  };
}

/** Broadcasts a mask of the target's leading axes to the target's shape: 1 for elements that count, else 0. */
function weights(name: string, mask: Value, target: Value): Value {
  expectValue(`${name}: mask`, mask, 'f32');
  if (!sameShape(mask.shape, target.shape.slice(0, mask.shape.length)))
    throw new GatewiseError(
      'shape',
      `${name}: expected a mask of the leading axes of the target ${show(target.shape)}, got ${show(mask.shape)}`,
    );
  const inner = target.shape.slice(mask.shape.length).map(() => 1);
  // Any number but 0 counts, as in the layers.
  const counted = where(mask, constant(1, mask.shape), 0);
  return broadcast(reshape(counted, [...mask.shape, ...inner]), target.shape);
}

/** sum(values) / count, or 0 if count is 0. @param values 0 where masked. */
function meanOf(values: Value, count: Value): Value {
  // The factor stands inside the sum, which fuses it; it is also the gradient of each value.
  return sum(mul(values, div(1, maximum(count, 1))));
}
