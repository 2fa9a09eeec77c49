// Steps that are padding in every sequence of a batch: left out of a plan where the host knows how long the longest is.
import type { NumberArray } from '../core/shape.ts';
import type { Layer } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import type { Value } from '../graph/value.ts';
import { broadcast, concat, slice } from '../ops/structure.ts';
import type { Argument } from './program.ts';
import { Tensor } from './tensor.ts';

/** The steps that a plan looks at: the first `kept` of `steps`. */
export interface Cut {
  readonly axis: 0 | 1;
  readonly kept: number;
  readonly steps: number;
}

/**
 * What to leave out of the input of such lengths, if anything. The length of the longest is rounded up to a power of two,
 * so that batches of one shape need few plans. One step more stays, which is padding in every row.
 */
export function cutOf(
  { timeAxis, ignoresPadding }: Layer,
  { shape }: Argument,
  lengths: Argument | undefined,
): Cut | undefined {
  if (ignoresPadding !== true || timeAxis === undefined || lengths === undefined) return undefined;
  const longest = lengths instanceof Tensor ? lengths.range?.largest : largestOf(lengths.data);
  if (longest === undefined) return undefined;
  const steps = shape[timeAxis];
  const kept = 2 ** Math.ceil(Math.log2(longest)) + 1;
  return kept < steps ? { axis: timeAxis, kept, steps } : undefined;
}

/** Not by the arguments of a call, of which there cannot be as many as a batch may have rows. */
function largestOf(data: NumberArray): number {
  let largest = 0;
  for (const length of data) largest = Math.max(largest, length);
  return largest;
}

/** As `cutOf`, for a step of training: undefined too where the loss or its target need what would be left out. */
export function trainingCutOf(
  model: Layer,
  loss: Loss,
  {
    input,
    target,
    lengths,
  }: Readonly<Record<'input' | 'target', Argument>> & { readonly lengths?: Argument },
): Cut | undefined {
  const stepwise = target.shape[0] === input.shape[0] && target.shape[1] === input.shape[1];
  return loss.ignoresPadding === true && stepwise ? cutOf(model, input, lengths) : undefined;
}

/** The part of a sequence that is looked at. */
export function withoutPadding(sequence: Value, cut: Cut | undefined): Value {
  return cut === undefined ? sequence : slice(sequence, cut.axis, 0, cut.kept);
}

/** An output for all steps: those that were left out are what the last one is, which is padding, too. */
export function withPadding(output: Value, cut: Cut | undefined): Value {
  if (cut === undefined) return output;
  const { axis, kept, steps } = cut;
  const last = slice(output, axis, kept - 1, kept);
  const rest = last.shape.map((n, i) => (i === axis ? steps - kept : n));
  return concat([output, broadcast(last, rest)], axis);
}
