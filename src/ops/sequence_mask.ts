// Converts sequence lengths into a mask over time steps, as tf.sequence_mask but time-major.
import { GatewiseError, show } from '../core/errors.ts';
import { apply, defineOp, expectValue, type Op, type Value } from '../graph/value.ts';

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
  // Integers have no gradient.
  grad: () => [undefined],
});

/**
 * 1 where a step lies within its sequence, else 0. No gradient flows to the lengths.
 * @param lengths i32 (B); 0 and less mask every step, `steps` and more none. @param steps T, a whole number of at least 1.
 * @returns f32 (T, B).
 * @throws GatewiseError `argument`, `dtype` or `shape` for invalid `lengths` or `steps`.
 */
export function sequenceMask(lengths: Value, steps: number): Value {
  return lengthMask(lengths, steps, false);
}

/**
 * As `sequenceMask`, for the sequences of a recurrent layer: each length must be 1 to `steps`. Each call checks that: host data
 * element by element, a tensor created from host data by its minimum and maximum.
 */
export function lengthMask(lengths: Value, steps: number, bounded = true): Value {
  expectValue('sequenceMask: lengths', lengths, 'i32');
  if (!Number.isInteger(steps) || steps < 1)
    throw new GatewiseError(
      'argument',
      `sequenceMask: steps must be a whole number of at least 1, got ${show(steps)}`,
    );
  return apply(sequenceMaskOp, { steps, bounded }, [lengths]);
}
