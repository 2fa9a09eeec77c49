// Losses: a scalar from a model's output and a target, averaged over all elements as PyTorch does by default.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, type DType } from '../core/shape.ts';
import { square, sub } from '../expr/arith.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { softmaxCrossEntropy } from '../ops/softmax_cross_entropy.ts';
import { mean } from '../ops/structure.ts';

export interface Loss {
  readonly name: string;
  /** What the target holds. */
  readonly targetDType: DType;
  readonly apply: (output: Value, target: Value) => Value;
}

/** Mean of -log softmax(output)[target], in nats; output f32 (…, C), target i32 (…). The classes are the last axis. */
export const crossEntropy: Loss = {
  name: 'crossEntropy',
  targetDType: 'i32',
  apply: (output, target) => mean(softmaxCrossEntropy(output, target)),
};

/** Mean of (output - target)²; both f32 of one shape. */
export const mse: Loss = {
  name: 'mse',
  targetDType: 'f32',
  apply: (output, target) => {
    expectValue('mse: output', output, 'f32');
    expectValue('mse: target', target, 'f32');
    if (!sameShape(output.shape, target.shape)) {
      throw new GatewiseError(
        'shape',
        `mse: expected a target of the output's shape ${show(output.shape)}, got ${show(target.shape)}`,
      );
    }
    return mean(square(sub(output, target)));
  },
};
