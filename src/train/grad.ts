// grad and valueAndGrad turn a function over traced values into one that returns gradients, which can be compiled or nested in
// another.
import { GatewiseError, show } from '../core/errors.ts';
import { leavesOf, mapTree } from '../core/tree.ts';
import { gradients } from '../graph/autodiff.ts';
import { Value } from '../graph/value.ts';
import { CaptureRecord, readCapture, type Capture } from '../nn/capture.ts';
import { constant, zeros } from '../ops/structure.ts';

const isValue = (node: unknown): node is Value => node instanceof Value;

/** What `valueAndGrad` captures: states and gates of layers at each step, and the gradients with respect to them, by name. */
export interface CapturedGradients {
  readonly values: Readonly<Record<string, Value>>;
  readonly gradients: Readonly<Record<string, Value>>;
}

/**
 * A function that returns `fn`'s value and its gradient with respect to the first argument, nested like that argument.
 * @param fn Maps traced values to a scalar; its first argument is a value, or lists and objects of values.
 */
export function valueAndGrad<First, Rest extends readonly unknown[]>(
  fn: (first: First, ...rest: Rest) => Value,
): (first: First, ...rest: Rest) => [Value, First] {
  return (first, ...rest) => differentiate(fn(first, ...rest), first);
}

/**
 * As `valueAndGrad`, with what layers show of themselves, and ∂value/∂h_t and so on for every t.
 * @param names Names to capture, as for `net.run`.
 * @param fn Gets a capture before the first argument, and passes it on to layers in their context: `{ capture }`.
 */
export function valueAndGradWithCapture<First, Rest extends readonly unknown[]>(
  names: readonly string[],
  fn: (capture: Capture, first: First, ...rest: Rest) => Value,
): (first: First, ...rest: Rest) => [Value, First, CapturedGradients] {
  const wanted = readCapture('valueAndGradWithCapture', names);
  return (first, ...rest) => {
    const record = new CaptureRecord(wanted, true);
    const value = fn(record, first, ...rest);
    const values = record.values('valueAndGradWithCapture');
    const { taps } = record;
    const [, gradient] = differentiate(value, { first, taps });
    const ofTap = (of: Value): Value => gradient.taps[taps.indexOf(of)];
    const captured = { values, gradients: record.gradientsBy('valueAndGradWithCapture', ofTap) };
    return [value, gradient.first, captured];
  };
}

function differentiate<First>(value: unknown, first: First): [Value, First] {
  if (!isValue(value))
    throw new GatewiseError(
      'argument',
      `grad: expected the function to return a traced value, got ${show(value)}`,
    );
  const wrt = leavesOf(first, isValue);
  if (wrt.length === 0 || !wrt.every(isValue))
    throw new GatewiseError('argument', 'grad: expected the first argument to consist of traced values');
  const found = gradients(value, wrt, constant(1, value.shape));
  let next = 0;
  const gradient = mapTree(first, isValue, (leaf) => found[next++] ?? zeros(leaf.shape)) as First;
  return [value, gradient];
}

/** A function that returns the gradient of `fn` with respect to its first argument. */
export function grad<First, Rest extends readonly unknown[]>(
  fn: (first: First, ...rest: Rest) => Value,
): (first: First, ...rest: Rest) => First {
  const both = valueAndGrad(fn);
  return (first, ...rest) => both(first, ...rest)[1];
}
