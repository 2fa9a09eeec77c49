// Options of a batch of sequences of different lengths: lengths or a mask.
import { GatewiseError, show } from '../core/errors.ts';
import type { Layer } from '../nn/layer.ts';
import type { HostData } from './host.ts';
import { toLengths, toMask } from './lengths.ts';
import type { Argument } from './program.ts';
import type { Tensor } from './tensor.ts';

/** At most one of the two. Without them every step of every sequence counts. */
export interface SequenceOptions {
  /**
   * (B): the number of valid steps of each sequence, 1 to T, in any order; later steps are padding. A recurrent layer outputs
   * 0 at padding, and its final states are those after the last valid step.
   */
  readonly lengths?: Tensor | HostData;
  /**
   * (T, B), or (B, T) with `batchFirst`: 1 for steps that count and 0 for masked ones, in any pattern. A recurrent layer keeps
   * its states over a masked step and repeats its output there.
   */
  readonly mask?: Tensor | HostData;
}

/** Whether an input has a batch axis. For models of the library's layers, features (T, I) without one have two axes. */
export function hasBatch({ inputDType, ignoresPadding }: Layer, { shape }: Argument): boolean {
  return shape.length >= (inputDType === 'f32' && ignoresPadding === true ? 3 : 2);
}

/** The given one of the two as an argument of a plan, under its name in a layer's context. @param input The model's input. */
export function sequenceArguments(
  what: string,
  model: Layer,
  input: Argument,
  { lengths, mask }: SequenceOptions,
): Partial<Record<'lengths' | 'mask', Argument>> {
  if (lengths === undefined && mask === undefined) return {};
  if (lengths !== undefined && mask !== undefined)
    throw new GatewiseError('argument', `${what}: lengths and mask were both given; give one of them`);
  const { name, timeAxis } = model;
  const { shape } = input;
  const given = lengths === undefined ? 'a mask' : 'lengths';
  if (timeAxis === undefined)
    throw new GatewiseError(
      'unsupported',
      `${what}: ${given} given, but ${name} has no layer that knows of time; leave them out`,
    );
  if (!hasBatch(model, input))
    throw new GatewiseError(
      'shape',
      `${what}: with ${given} expected input (${timeAxis === 0 ? 'T, B' : 'B, T'}, …), got ${show(shape)}`,
    );
  const [steps, batch] = [shape[timeAxis], shape[1 - timeAxis]];
  if (lengths !== undefined) return { lengths: toLengths(what, lengths, batch, steps) };
  return mask === undefined ? {} : { mask: toMask(what, mask, batch, steps, timeAxis) };
}
