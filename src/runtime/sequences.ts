// What a batch of sequences comes with: how long each is, or which of its steps count.
import { GatewiseError, show } from '../core/errors.ts';
import type { Layer } from '../nn/layer.ts';
import type { HostData } from './host.ts';
import { toLengths, toMask } from './lengths.ts';
import type { Argument } from './program.ts';
import type { Tensor } from './tensor.ts';

/** Either of the two, or neither: then every step of every sequence counts. */
export interface SequenceOptions {
  /**
   * The valid steps of each sequence, (B), each 1 to T, in any order; the rest of a sequence is padding. A recurrent
   * layer gives 0 there, and its final states are those after the last valid step.
   */
  readonly lengths?: Tensor | HostData;
  /**
   * 1 where a step counts and 0 where it is masked, in any pattern: (T, B), or (B, T) with `batchFirst`. A recurrent
   * layer carries its states over a masked step and repeats its output there.
   */
  readonly mask?: Tensor | HostData;
}

/** Whether an input has a batch: of a model of our layers, features without one have two axes. */
export function hasBatch({ inputDType, ignoresPadding }: Layer, { shape }: Argument): boolean {
  return shape.length >= (inputDType === 'f32' && ignoresPadding === true ? 3 : 2);
}

/** What of the two is given, as arguments of a plan under their names in a layer's context. @param x the model's input. */
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
