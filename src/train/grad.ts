// grad and valueAndGrad turn a function over traced values into one that returns gradients, which can be compiled or nested in
// another.
import { GatewiseError, show } from '../core/errors.ts';
import { leavesOf, mapTree } from '../core/tree.ts';
import { gradients } from '../graph/autodiff.ts';
import { Value } from '../graph/value.ts';
import { constant, zeros } from '../ops/structure.ts';

const isValue = (node: unknown): node is Value => node instanceof Value;

/**
 * A function that returns `fn`'s value and its gradient with respect to the first argument, nested like that argument.
 * @param fn Maps traced values to a scalar; its first argument is a value, or lists and objects of values.
 */
export function valueAndGrad<First, Rest extends readonly unknown[]>(
  fn: (first: First, ...rest: Rest) => Value,
): (first: First, ...rest: Rest) => [Value, First] {
  return (first, ...rest) => {
    const value = fn(first, ...rest);
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
  };
}

/** A function that returns the gradient of `fn` with respect to its first argument. */
export function grad<First, Rest extends readonly unknown[]>(
  fn: (first: First, ...rest: Rest) => Value,
): (first: First, ...rest: Rest) => First {
  const both = valueAndGrad(fn);
  return (first, ...rest) => both(first, ...rest)[1];
}
