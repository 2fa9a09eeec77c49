// Makes the mask (T, B) of a layer from its context's lengths or mask.
import { GatewiseError } from '../core/errors.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { lengthMask } from '../ops/sequence_mask.ts';
import { transpose } from '../ops/structure.ts';
import type { Context } from './context.ts';

/** f32 (T, B): 1 for steps that count, 0 for masked ones; undefined if neither lengths nor a mask were given. */
export function maskOf(
  what: string,
  { lengths, mask }: Context,
  steps: number,
  batch: number,
  batchFirst: boolean,
): Value | undefined {
  if (lengths !== undefined && mask !== undefined)
    throw new GatewiseError('argument', `${what}: lengths and mask were both given; give one of them`);
  if (lengths !== undefined) {
    expectValue(`${what}: lengths`, lengths, 'i32', [batch]);
    return lengthMask(lengths, steps);
  }
  if (mask === undefined) return undefined;
  expectValue(`${what}: mask`, mask, 'f32', batchFirst ? [batch, steps] : [steps, batch]);
  return batchFirst ? transpose(mask) : mask;
}
