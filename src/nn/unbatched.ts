// Inputs without a batch axis, as PyTorch's recurrent layers accept: (T, I) with states (layers · directions, H).
import { GatewiseError, show } from '../core/errors.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { reshape } from '../ops/structure.ts';
import type { Context } from './context.ts';
import type { Layer, LayerResult, Values } from './layer.ts';

/** The position of an inserted axis in a layer's input and output, and in its states. */
interface Axes {
  readonly input: number;
  readonly state: number;
}
type Forward = (x: Value, states: Values) => LayerResult;

/** x: (T, B, I) or (B, T, I) is a batch, (T, I) one sequence alone. @throws GatewiseError `shape` for any other shape. */
export function checkSequence(
  {
    name,
    batchFirst,
    inputSize,
  }: Pick<Layer, 'name'> & { readonly batchFirst: boolean; readonly inputSize: number },
  x: Value,
): 'batch' | 'alone' {
  expectValue(`${name}: input`, x, 'f32');
  const rank = x.shape.length;
  if ((rank !== 3 && rank !== 2) || x.shape[rank - 1] !== inputSize)
    throw new GatewiseError(
      'shape',
      `${name}: expected input (${batchFirst ? 'B, T' : 'T, B'}, ${inputSize}), or (T, ${inputSize}) without a batch, got ${show(x.shape)}`,
    );
  return rank === 3 ? 'batch' : 'alone';
}

/** Runs `forward`, which expects a batch, on an input and states without one. */
export function withoutBatch(
  layer: Layer,
  axes: Axes,
  x: Value,
  states: Values,
  { lengths, mask }: Context,
  forward: Forward,
): LayerResult {
  if (lengths !== undefined || mask !== undefined)
    throw new GatewiseError(
      'shape',
      `${layer.name}: lengths or a mask were given for one sequence without a batch, ${show(x.shape)}; give the input a batch of 1`,
    );
  return withAxis(layer, x, states, forward, { axes, batch: 1, kind: 'of one sequence without a batch' });
}

interface InsertedAxis {
  readonly axes: Axes;
  /** The batch that the layer sees. */
  readonly batch: number;
  /** What errors say of a state. */
  readonly kind?: string;
}

/**
 * Runs `forward` on x and states with an axis of size 1 inserted, and removes that axis from its results.
 * @param layer The layer that `forward` runs.
 */
export function withAxis(
  layer: Layer,
  x: Value,
  states: Values,
  forward: Forward,
  { axes, batch, kind }: InsertedAxis,
): LayerResult {
  const add = (value: Value, axis: number): Value => reshape(value, value.shape.toSpliced(axis, 0, 1));
  const drop = (value: Value, axis: number): Value => reshape(value, value.shape.toSpliced(axis, 1));
  for (const { name, shape } of layer.states) {
    const what = `${layer.name}: state ${show(name)}${kind === undefined ? '' : ` ${kind}`}`;
    if (states[name] !== undefined)
      expectValue(what, states[name], 'f32', shape(batch).toSpliced(axes.state, 1));
  }
  const each = (values: Values, change: (value: Value, axis: number) => Value): Values =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value, axes.state)]));
  const result = forward(add(x, axes.input), each(states, add));
  return { output: drop(result.output, axes.input), states: each(result.states, drop) };
}
