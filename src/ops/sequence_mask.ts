// Lengths of sequences as a mask over their steps, as tf.sequence_mask has it, with time in front.
import { GatewiseError, show } from '../core/errors.ts';
import { defineOp, expectValue, type Op, type Value } from '../graph/value.ts';
import { apply } from './apply.ts';

interface SequenceMaskAttrs {
  readonly steps: number;
  /** Whether each length must be 1 to `steps`. */
  readonly bounded: boolean;
}

export const sequenceMaskOp: Op<SequenceMaskAttrs> = /* @__PURE__ */ defineOp({
  name: 'sequence_mask',
  summary: 'lengths (B) as a mask (T, B): 1 where the step is before the length, else 0',
  infer: ({ steps }, [lengths]) => {
    if (lengths.shape.length !== 1)
      throw new GatewiseError(
        'shape',
        `sequenceMask: expected lengths (B), got ${show(lengths.shape)}; reshape them to one axis`,
      );
    return [{ shape: [steps, lengths.shape[0]], dtype: 'f32' }];
  },
  indexLimits: ({ steps, bounded }) => (bounded ? [{ input: 0, kind: 'length', limit: steps + 1 }] : []),
  // None flows through whole numbers.
  grad: () => [undefined],
  tolerance: { absolute: 0, relative: 0 },
});

/**
 * 1 where a step lies within its sequence, else 0. No gradient flows to the lengths.
 * @param lengths i32 (B); 0 and less mask every step, `steps` and more none. @param steps T, a whole number of at least 1.
 * @returns f32 (T, B).
 * @throws GatewiseError `argument`, `dtype` or `shape` where `lengths` or `steps` is none of that.
 */
export function sequenceMask(lengths: Value, steps: number): Value {
  return maskOfSteps(lengths, steps, false);
}

/**
 * As `sequenceMask`, of sequences that a layer goes through: each length must be 1 to `steps`. Each call checks that, of host
 * data element by element, of a tensor that was made from host data by its smallest and its largest.
 */
export function lengthMask(lengths: Value, steps: number): Value {
  return maskOfSteps(lengths, steps, true);
}

function maskOfSteps(lengths: Value, steps: number, bounded: boolean): Value {
  expectValue('sequenceMask: lengths', lengths, 'i32');
  if (!Number.isInteger(steps) || steps < 1)
    throw new GatewiseError(
      'argument',
      `sequenceMask: steps must be a whole number of at least 1, got ${show(steps)}`,
    );
  return apply(sequenceMaskOp, { steps, bounded }, [lengths]);
}
