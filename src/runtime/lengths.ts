// Lengths and masks of batches of sequences: from what a caller gives to checked arguments of a plan.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape } from '../core/shape.ts';
import type { HostData } from './host.ts';
import { toArgument } from './net_context.ts';
import type { Argument } from './program.ts';
import { Tensor } from './tensor.ts';

/** Throws unless there are `batch` lengths and each is a whole number of 1 to `steps`. @param what the caller, for the error. */
export function checkLengths(what: string, lengths: ArrayLike<number>, batch: number, steps: number): void {
  if (lengths.length !== batch)
    throw new GatewiseError(
      'shape',
      `${what}: expected ${batch} lengths, one for each sequence of the batch, got ${lengths.length}`,
    );
  for (let i = 0; i < batch; i++) {
    if (Number.isInteger(lengths[i]) && lengths[i] >= 1 && lengths[i] <= steps) continue;
    throw new GatewiseError(
      'argument',
      `${what}: length ${i} must be a whole number of 1 to ${steps}, the steps of the input, got ${lengths[i]}`,
    );
  }
}

/**
 * The valid steps of each sequence as i32 (B).
 * @param value (B), each 1 to `steps`; of a tensor that came from the host the smallest and the largest are checked.
 */
export function toLengths(what: string, value: Tensor | HostData, batch: number, steps: number): Argument {
  const lengths = toArgument(`${what}: lengths`, value, value instanceof Tensor ? 'i32' : 'f32');
  if (!sameShape(lengths.shape, [batch]))
    throw new GatewiseError(
      'shape',
      `${what}: expected lengths of shape [${batch}], one for each sequence of the batch, got ${show(lengths.shape)}`,
    );
  if (!(lengths instanceof Tensor)) {
    checkLengths(what, lengths.data, batch, steps);
    return { shape: lengths.shape, dtype: 'i32', data: Int32Array.from(lengths.data) };
  }
  const { range } = lengths;
  if (range !== undefined && (range.smallest < 1 || range.largest > steps))
    throw new GatewiseError(
      'argument',
      `${what}: expected lengths of 1 to ${steps}, the steps of the input, got a tensor of ${range.smallest} to ${range.largest}`,
    );
  return lengths;
}

/**
 * Which steps count, as f32 (T, B), or (B, T) where time is axis 1.
 * @param value of that shape, 1 where a step counts and 0 where it does not; what a tensor holds is not checked.
 */
export function toMask(
  what: string,
  value: Tensor | HostData,
  batch: number,
  steps: number,
  timeAxis: 0 | 1,
): Argument {
  const mask = toArgument(`${what}: mask`, value, 'f32');
  const expected = timeAxis === 0 ? [steps, batch] : [batch, steps];
  if (!sameShape(mask.shape, expected))
    throw new GatewiseError(
      'shape',
      `${what}: expected a mask ${timeAxis === 0 ? '(T, B)' : '(B, T)'} of shape ${show(expected)}, as the input has it, got ${show(mask.shape)}`,
    );
  if (mask instanceof Tensor) return mask;
  const odd = mask.data.findIndex((element) => element !== 0 && element !== 1);
  if (odd >= 0)
    throw new GatewiseError(
      'argument',
      `${what}: element ${odd} of the mask must be 1 (the step counts) or 0, got ${mask.data[odd]}`,
    );
  return mask;
}
