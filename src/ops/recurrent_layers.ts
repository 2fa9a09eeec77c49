// Stacked recurrent layers over a sequence, as one composite: x (T, B, I) to the last layer's h (T, B, D·W) and final states.
// The target decides at plan time: layer by layer or as a wavefront, and in how many segments of time.
import { scanStep } from '../cells/scan.ts';
import type { Cell } from '../cells/cell.ts';
import { GatewiseError } from '../core/errors.ts';
import { add, where } from '../expr/arith.ts';
import type { Expr } from '../expr/expr.ts';
import type { Signature, TargetLimits, Value } from '../graph/value.ts';
import { flattenValues } from '../graph/value_tree.ts';
import { checkpoint, enter } from './checkpoint.ts';
import { composite } from './composite.ts';
import { quantizedWeight } from './fake_quantize.ts';
import { linearScanOf } from './linear_scan.ts';
import { matmul } from './matmul.ts';
import {
  recurrentSequence,
  type RecurrentWeights,
  type SequenceArguments,
  type SequenceResult,
} from './recurrent_sequence.ts';
import { segmentSizes } from './segments.ts';
import { broadcast, concat, reshape, slice, split, zeros } from './structure.ts';
import { wavefrontStep, type LayerMatrices } from './wavefront.ts';

/** Weights of one layer in one direction, under PyTorch's names without the suffix. */
export interface LayerWeights extends LayerMatrices {
  readonly bias_ih?: Value;
  readonly bias_hh?: Value;
  /** Weights of one number per unit, each (H). */
  readonly [unit: string]: Value | undefined;
}

export interface RecurrentLayersArguments {
  /** (T, B, I). */
  readonly x: Value;
  readonly hidden: number;
  readonly directions: 1 | 2;
  /** Per layer, then per direction. */
  readonly weights: readonly LayerWeights[];
  /** (L·D, B, W) per state; absent means zeros. */
  readonly initial?: readonly Value[] | undefined;
  /** (T, B): 1 for a valid step; a step with 0 copies the states. */
  readonly mask?: Value | undefined;
  /** Whether the output after the end of a sequence is 0, as in PyTorch's packed sequences; otherwise the last h repeats. */
  readonly packed?: boolean;
  /** (D, B, W): factors of h for variational dropout. */
  readonly keep?: Value | undefined;
  /** Random number key, i32 (2), and one stream per segment. */
  readonly noise?: { readonly seed: Value; readonly streams: readonly number[] } | undefined;
  /** Gradient checkpointing: save only the inputs of each segment. A number limits the steps of a segment. */
  readonly recompute: boolean | number;
  /** Whether all layers share each launch (a wavefront); `auto` asks the target. */
  readonly wavefront: boolean | 'auto';
  /** (T, L·D, B, (G + S)·H): what is added to the gates' input parts and is the input part of a watched cell's taps. */
  readonly taps?: Value | undefined;
  /** Whether the states after each step are results. */
  readonly history?: boolean;
  /** Whether a parallel scan runs the cell. h' must be a·h + b, where a and b depend on the input alone and a is in [0, 1]. */
  readonly scan: boolean;
}

/** h of the last layer, (T, B, D·W), and per state (L·D, B, W) after the last step of its direction. */
export interface RecurrentLayersResult {
  readonly output: Value;
  readonly finals: readonly Value[];
  /** With `history`, (T, L·D, B, W) per state after each step, in time order; else empty. Detached. */
  readonly history: readonly Value[];
}

export function recurrentLayers(
  cell: Cell,
  { x, initial, mask, keep, noise, weights, taps, ...options }: RecurrentLayersArguments,
): RecurrentLayersResult {
  // The inputs of the composite are in this order.
  const { values, restore } = flattenValues({ x, initial, mask, keep, noise, weights, taps, ...options });
  const { hidden, directions } = options;
  const [steps, batch] = x.shape;
  const widths = cell.states.map((_, s) => (s === 0 ? (weights[0].weight_hr?.shape[0] ?? hidden) : hidden));
  const shapes = [
    [steps, batch, directions * widths[0]],
    ...widths.map((width) => [weights.length, batch, width]),
    ...(options.history === true ? widths.map((width) => [steps, weights.length, batch, width]) : []),
  ];
  const signatures = shapes.map((shape): Signature => ({ shape, dtype: 'f32' }));
  const [output, ...all] = composite(cell.name, values, signatures, (own, limits) => {
    const result = runLayers(cell, limits, restore(own));
    return [result.output, ...result.finals, ...result.history];
  });
  const { length } = cell.states;
  return { output, finals: all.slice(0, length), history: all.slice(length) };
}

/** x (T, B, …) with masked steps set to 0, so that not even a NaN in padding reaches a result. */
export const zeroWhereMasked = (x: Value, mask: Value): Value =>
  where(broadcast(reshape(mask, [...mask.shape, 1]), x.shape), x, 0);

function runLayers(cell: Cell, limits: TargetLimits, args: RecurrentLayersArguments): RecurrentLayersResult {
  const { directions, weights, initial = [], mask, packed, taps, history } = args;
  const count = weights.length / directions;
  const together = !args.scan && runsAsWavefront(cell, limits, args) ? count : 1;
  let sequence = args.x;
  const finals: (readonly Value[])[] = [];
  const histories: (readonly Value[])[] = [];
  for (let layer = 0; layer < count; layer += together) {
    const [from, to] = [layer * directions, (layer + together) * directions];
    const result = runLayer(cell, limits, {
      ...args,
      x: sequence,
      weights: weights.slice(from, to),
      initial: initial.map((state) => slice(state, 0, from, to)),
      taps: taps && slice(taps, 1, from, to),
    });
    finals.push(result.finals);
    histories.push(result.history);
    sequence = result.output;
    if (packed === true && mask !== undefined) sequence = zeroWhereMasked(sequence, mask);
  }
  return {
    output: sequence,
    finals: cell.states.map((_, s) => concat(finals.map((own) => own[s]))),
    history:
      history === true
        ? cell.states.map((_, s) =>
            concat(
              histories.map((own) => own[s]),
              1,
            ),
          )
        : [],
  };
}

function runsAsWavefront(
  cell: Cell,
  { prefersWavefront }: TargetLimits,
  { x, hidden, directions, weights, mask, recompute, wavefront, taps, history }: RecurrentLayersArguments,
): boolean {
  const [steps, batch] = x.shape;
  // Layers that are seen from inside run one by one.
  if (taps !== undefined || history === true) return false;
  if (weights.length === 1 || steps === 1 || wavefront === false || directions === 2) return false;
  const isInt8 = quantizedWeight(weights[0].weight_ih)?.precision === 'int8';
  if (wavefront === true && isInt8)
    throw new GatewiseError(
      'unsupported',
      `${cell.name}: layers with int8 weights cannot share launches; leave out wavefront`,
    );
  if (wavefront === true) return true;
  // Recomputation bounds what one layer saves, but a wavefront saves for all layers at once. Wavefront kernels read no int8.
  if (recompute !== false || isInt8) return false;
  const given = { bias: weights[0].bias_ih !== undefined, masked: mask !== undefined };
  return prefersWavefront(wavefrontStep(cell, weights, { hidden, batch, ...given }));
}

/** Runs one layer in all its directions, or several layers of one direction as a wavefront. */
function runLayer(
  cell: Cell,
  { tensorBytes }: TargetLimits,
  args: RecurrentLayersArguments,
): RecurrentLayersResult {
  const { x, hidden, directions, weights, mask, keep, noise, recompute, taps, history } = args;
  if (args.scan && recompute === false) return scanLayer(scanStep(cell), args);
  const [steps, batch] = x.shape;
  const { slots } = cell.program({ bias: weights[0].bias_ih !== undefined, masked: mask !== undefined });
  const bytesPerStep = 4 * weights.length * batch * hidden * slots.length;
  const most = typeof recompute === 'number' ? recompute : steps;
  const sizes = segmentSizes(steps, directions, bytesPerStep, { most, bytes: tensorBytes });
  const stacked = weights.length > directions;
  const eachDirection = <T>(make: (direction: number) => T): T[] =>
    Array.from({ length: directions }, (_, direction) => make(direction));
  // `enter` sums the gradients of both directions before those of other readers, so `recompute` does not change any bits.
  const pieces = sizes.length === 1 ? [enter(x)] : split(x, sizes);
  const masks = mask && split(mask, sizes);
  const tapped = taps && split(taps, sizes);
  const outputs: Value[][] = eachDirection(() => []);
  /** For each state and direction, the history of each segment. */
  const histories: Value[][][] = cell.states.map(() => eachDirection(() => []));
  let states = args.initial ?? [];
  sizes.forEach((_, i) => {
    // The first direction processes the segments front to back, the second back to front.
    const at = eachDirection((direction) => (direction === 0 ? i : sizes.length - 1 - i));
    const { values, restore } = flattenValues({
      xs: at.map((n) => pieces[n]),
      initial: states,
      mask: masks && weights.map((_own, p) => masks[stacked ? i : at[p]]),
      keep,
      noise: noise && { seed: noise.seed, stream: streamOf(noise.streams, i) },
      weights,
      taps: tapped && at.map((n, direction) => slice(tapped[n], 1, direction, direction + 1)),
    });
    const run = (own: readonly Value[]): readonly Value[] => {
      const result = runSegment(cell, restore(own), stacked);
      return [result.output, ...result.finals, ...(history === true ? result.history() : [])];
    };
    const isCheckpoint = recompute !== false || sizes.length > 1;
    const [output, ...rest] = isCheckpoint ? checkpoint(run, values, recompute !== false) : run(values);
    const finals = rest.slice(0, cell.states.length);
    // (T, B, D, W), with a separate axis of directions.
    const parts = sizes.length === 1 ? [output] : split(output, 1, 2);
    parts.forEach((part, direction) => (outputs[direction][at[direction]] = part));
    rest
      .slice(cell.states.length)
      .forEach((whole, s) =>
        at.forEach(
          (n, direction) => (histories[s][direction][n] = slice(whole, 1, direction, direction + 1)),
        ),
      );
    states = finals;
  });
  const output = concat(
    outputs.filter((own) => own.length > 0).map((own) => concat(own)),
    2,
  );
  return {
    output: reshape(output, [steps, batch, -1]),
    finals: states,
    history:
      history === true
        ? histories.map((own) =>
            concat(
              own.map((each) => concat(each)),
              1,
            ),
          )
        : [],
  };
}

/** The distance between the random streams of segments that the target adds; a model's ops use far fewer streams. */
const SEGMENT_STREAMS = 2 ** 16;

/** The random stream of a segment. */
function streamOf(streams: readonly number[], segment: number): number {
  const [first = 0] = streams;
  return streams[segment] ?? first + segment * SEGMENT_STREAMS;
}

/** The inputs of a segment. */
interface Segment extends Pick<RecurrentLayersArguments, 'keep' | 'weights'> {
  /** (T, 1, B, (G + S)·H) for each direction. */
  readonly taps: readonly Value[] | undefined;
  /** (T, B, I) for each direction. */
  readonly xs: readonly Value[];
  /** (P, B, W) per state; none are zeros. */
  readonly initial: readonly Value[];
  /** (T, B) per pseudo-layer. */
  readonly mask: readonly Value[] | undefined;
  readonly noise: SequenceArguments['noise'] | undefined;
}

/** Runs a segment: the input products of all steps, then the loop. */
function runSegment(
  cell: Cell,
  { xs, initial, mask, keep, noise, weights, taps }: Segment,
  wavefront: boolean,
): SequenceResult {
  const [steps, batch, width] = xs[0].shape;
  const products = weights.map(({ weight_ih, bias_ih }, p) => {
    const shape = [steps, batch, weight_ih.shape[0]];
    // In a wavefront the loop multiplies by weight_ih, because the layer below computes its output in the same loop.
    if (p >= xs.length) return bias_ih === undefined ? zeros(shape) : broadcast(bias_ih, shape);
    const product = matmul(reshape(xs[p], [steps * batch, width]), weight_ih, { transposeB: true });
    const gates = reshape(bias_ih === undefined ? product : add(product, bias_ih), shape);
    if (taps === undefined) return gates;
    const own = reshape(taps[p], [steps, batch, -1]);
    const [onGates, ofStates] = split(own, [shape[2], own.shape[2] - shape[2]], 2);
    return concat([add(gates, onGates), ofStates], 2);
  });
  const own = weights.map(
    ({ weight_ih, weight_hh, bias_ih: _inProducts, bias_hh, weight_hr, ...units }, p): RecurrentWeights => ({
      ...(p >= xs.length && { ih: weight_ih }),
      ...(weight_hh && { hh: weight_hh }),
      ...(bias_hh && { bias: bias_hh }),
      ...(weight_hr && { hr: weight_hr }),
      units: units as Record<string, Value>,
    }),
  );
  return recurrentSequence(cell, {
    products,
    wavefront,
    weights: own,
    ...(initial.length > 0 && { initial }),
    ...(mask && { mask }),
    ...(keep && { keep }),
    ...(noise && { noise }),
  });
}

/** Runs a layer whose step is h' = a·h + b: one matmul and one scan per direction. */
function scanLayer(
  step: readonly [a: Expr, b: Expr],
  { x, hidden, weights, initial = [], mask }: RecurrentLayersArguments,
): RecurrentLayersResult {
  const [steps, batch] = x.shape;
  const flat = reshape(x, [steps * batch, -1]);
  const each = weights.map(({ weight_ih, bias_ih }, direction) => {
    const product = matmul(flat, weight_ih, { transposeB: true });
    const gates = bias_ih === undefined ? product : add(product, bias_ih);
    return linearScanOf(step, [reshape(gates, [steps, batch, -1, hidden])], {
      reverse: direction === 1,
      ...(mask && { mask }),
      ...(initial.length > 0 && {
        initial: reshape(slice(initial[0], 0, direction, direction + 1), [batch, hidden]),
      }),
    });
  });
  const last = each.map((h, direction) =>
    direction === 1 ? slice(h, 0, 0, 1) : slice(h, 0, steps - 1, steps),
  );
  return { output: concat(each, 2), finals: [concat(last)], history: [] };
}
