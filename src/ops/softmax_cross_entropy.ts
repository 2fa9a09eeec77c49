// Softmax cross-entropy over classes, and its gradient: one kernel each.
import { GatewiseError, show } from '../core/errors.ts';
import { option, probability, readOptions } from '../core/options.ts';
import { sameShape, sizeOf } from '../core/shape.ts';
import { apply, applyAll, defineOp, expectValue, type Op, type Value } from '../graph/value.ts';
import { reshape } from './structure.ts';

/** PyTorch's options of a cross-entropy. */
export interface CrossEntropyOptions {
  /** The label to ignore: its loss and gradient are 0. Default -100. */
  readonly ignoreIndex?: number;
  /** Label smoothing: the share of the target distribution, 0 to 1, spread uniformly over all classes. Default 0. */
  readonly labelSmoothing?: number;
}

export const crossEntropyOptions = {
  ignoreIndex: option('a whole number of 32 bits', (value) => value === (Number(value) | 0), -100),
  labelSmoothing: probability(0),
};

type Attrs = Required<CrossEntropyOptions>;

export const softmaxCrossEntropyOp: Op<Attrs> = /* @__PURE__ */ defineOp({
  name: 'softmax_cross_entropy',
  summary:
    'logits (N, C) and labels (N): losses (N), the log of each row’s sum of exponentials (N), and whether it counts (N)',
  infer: (_, [logits, label]) => {
    if (logits.shape.length !== 2 || label.shape.length !== 1 || logits.shape[0] !== label.shape[0])
      throw new GatewiseError(
        'shape',
        `softmaxCrossEntropy: expected logits (N, C) and labels (N), got ${show(logits.shape)} and ${show(label.shape)}`,
      );
    const row = { shape: [logits.shape[0]], dtype: 'f32' } as const;
    return [row, row, row];
  },
  indexLimits: ({ ignoreIndex }, [logits]) => [
    { input: 1, kind: 'index', limit: logits.shape[1], except: ignoreIndex },
  ],
  cost: (_, [logits]) => 4 * sizeOf(logits.shape),
  grad: (node, [d]) => {
    const [logits, label] = node.inputs;
    const inputs = d && [logits, label, node.outputs[1], d];
    return [inputs && apply(softmaxCrossEntropyBackwardOp, node.attrs, inputs), undefined];
  },
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

export const softmaxCrossEntropyBackwardOp: Op<Attrs> = /* @__PURE__ */ defineOp({
  name: 'softmax_cross_entropy_backward',
  summary: '(softmax - one-hot) · d loss, of the logits’ shape',
  infer: (_, [logits]) => [logits],
  cost: (_, [logits]) => 4 * sizeOf(logits.shape),
  tolerance: { absolute: 1e-6, relative: 1e-5 },
});

/**
 * -log softmax(logits)[label] for each row, as torch.nn.functional.cross_entropy with `reduction='none'`.
 * @param logits f32 (…, C). @param label i32 (…), each 0 to C - 1 or `options.ignoreIndex`.
 * @returns f32 (…), in nats; 0 where the label is ignored.
 */
export function softmaxCrossEntropy(logits: Value, label: Value, options: CrossEntropyOptions = {}): Value {
  return crossEntropyRows(logits, label, options).losses;
}

/** The losses of `softmaxCrossEntropy`, and counts: 0 for a row whose label is ignored, else 1. Both f32 (…). */
export function crossEntropyRows(
  logits: Value,
  label: Value,
  options: CrossEntropyOptions,
): { readonly losses: Value; readonly counts: Value } {
  const attrs = readOptions('softmaxCrossEntropy', crossEntropyOptions, options);
  expectValue('softmaxCrossEntropy: logits', logits, 'f32');
  expectValue('softmaxCrossEntropy: labels', label, 'i32');
  if (!sameShape(logits.shape.slice(0, -1), label.shape))
    throw new GatewiseError(
      'shape',
      `softmaxCrossEntropy: expected labels of shape ${show(logits.shape.slice(0, -1))} for logits ${show(logits.shape)}, got ${show(label.shape)}`,
    );
  const classes = logits.shape[logits.shape.length - 1];
  const [losses, , counts] = applyAll(softmaxCrossEntropyOp, attrs, [
    reshape(logits, [-1, classes]),
    reshape(label, [-1]),
  ]);
  return { losses: reshape(losses, label.shape), counts: reshape(counts, label.shape) };
}
