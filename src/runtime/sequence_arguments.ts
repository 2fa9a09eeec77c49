// The input of a run or a training step, with the lengths or the mask of its sequences, and how much padding a plan leaves out.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { Layer } from '../nn/layer.ts';
import { broadcast, concat, slice } from '../ops/structure.ts';
import type { HostData } from './host.ts';
import { Tensor, toArgument, type Argument } from './tensor.ts';

/** Lengths or a mask, not both. Without them every step of every sequence counts. */
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

/** The arguments of a program, named as in a layer's context. */
export interface SequenceArguments {
  readonly input: Argument;
  /** i32 (B). */
  readonly lengths?: Argument;
  /** f32 (T, B), or (B, T) with `batchFirst`. */
  readonly mask?: Argument;
}

/** The input of a run or a step, with its lengths or mask. @param what The caller, for errors. */
export function sequenceArguments(
  what: string,
  model: Layer,
  x: Tensor | HostData,
  options: SequenceOptions,
): SequenceArguments {
  const input = toArgument(`${what}: input`, x, model.inputDType);
  const { lengths, mask } = options;
  if (lengths === undefined && mask === undefined) return { input };
  if (lengths !== undefined && mask !== undefined)
    throw new GatewiseError('argument', `${what}: lengths and mask were both given; give one of them`);
  const given = lengths === undefined ? 'a mask' : 'lengths';
  const { name, timeAxis } = model;
  if (timeAxis === undefined)
    throw new GatewiseError(
      'unsupported',
      `${what}: ${given} given, but ${name} has no layer that knows of time; leave them out`,
    );
  const [steps, batch] = stepsAndBatch(`${what}: with ${given} expected`, model, input);
  if (lengths !== undefined) return { input, lengths: toLengths(what, lengths, batch, steps) };
  return mask === undefined ? { input } : { input, mask: toMask(what, mask, batch, steps, timeAxis) };
}

/**
 * T and B of an input. Features (T, I) without a batch axis have two axes.
 * @throws GatewiseError `shape` if the input has no batch axis. @param expected How the message begins.
 */
export function stepsAndBatch(
  expected: string,
  { inputDType, ignoresPadding, timeAxis = 0 }: Layer,
  { shape }: Argument,
): [steps: number, batch: number] {
  // Only models of the library's own layers are known to have their features on the last axis.
  if (shape.length < (inputDType === 'f32' && ignoresPadding === true ? 3 : 2))
    throw new GatewiseError(
      'shape',
      `${expected} input (${timeAxis === 0 ? 'T, B' : 'B, T'}, …), got ${show(shape)}`,
    );
  return [shape[timeAxis], shape[1 - timeAxis]];
}

/**
 * The valid steps of each sequence as i32 (B).
 * @param value (B), each 1 to `steps`. Of a tensor from the host the smallest and largest element are checked.
 */
export function toLengths(what: string, value: Tensor | HostData, batch: number, steps: number): Argument {
  const lengths = toArgument(`${what}: lengths`, value, value instanceof Tensor ? 'i32' : 'f32');
  if (!sameShape(lengths.shape, [batch]))
    throw new GatewiseError(
      'shape',
      `${what}: expected lengths of shape [${batch}], one for each sequence of the batch, got ${show(lengths.shape)}`,
    );
  if (!(lengths instanceof Tensor)) {
    const { data } = lengths;
    const odd = data.findIndex((length) => !Number.isInteger(length) || length < 1 || length > steps);
    if (odd >= 0)
      throw new GatewiseError(
        'argument',
        `${what}: length ${odd} must be a whole number of 1 to ${steps}, the steps of the input, got ${data[odd]}`,
      );
    return { shape: lengths.shape, dtype: 'i32', data: Int32Array.from(data) };
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
 * @param value Of that shape, 1 where a step counts and 0 where it does not. The elements of a tensor are not checked.
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

/** A plan computes the first `length` of T steps. */
export interface Truncation {
  readonly axis: 0 | 1;
  readonly length: number;
  readonly steps: number;
}

/**
 * The truncation for a batch; undefined if no steps are known to be padding in every sequence. It rounds the longest length up
 * to a power of two, so that batches of one shape need few plans, and keeps one further step, which is padding in every row.
 */
export function truncationOf(
  { timeAxis, ignoresPadding }: Layer,
  { input, lengths }: SequenceArguments,
): Truncation | undefined {
  if (ignoresPadding !== true || timeAxis === undefined || lengths === undefined) return undefined;
  const longest =
    lengths instanceof Tensor
      ? lengths.range?.largest
      : Int32Array.from(lengths.data).reduce((a, b) => Math.max(a, b));
  if (longest === undefined) return undefined;
  const steps = input.shape[timeAxis];
  const length = 2 ** Math.ceil(Math.log2(longest)) + 1;
  return length < steps ? { axis: timeAxis, length, steps } : undefined;
}

/** The steps of a sequence that are computed. */
export function truncate(sequence: Value, truncation: Truncation | undefined): Value {
  return truncation === undefined ? sequence : slice(sequence, truncation.axis, 0, truncation.length);
}

/** The output for all T steps: those that were left out repeat the last computed one, which is padding as well. */
export function extend(output: Value, truncation: Truncation | undefined): Value {
  if (truncation === undefined) return output;
  const { axis, length, steps } = truncation;
  const last = slice(output, axis, length - 1, length);
  const rest = last.shape.map((n, i) => (i === axis ? steps - length : n));
  return concat([output, broadcast(last, rest)], axis);
}
