// Reverse-mode differentiation over the graph; each op defines its gradient in terms of ops.
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { add } from '../expr/arith.ts';
import { nodesOf, type Node, type Value } from './value.ts';

/**
 * Gradients of a scalar with respect to values, in the values' shapes; undefined if the scalar does not depend on one.
 * @param seed The cotangent of `loss`, a scalar value.
 * @throws GatewiseError `shape` if `loss` is not a scalar, `unsupported` if an op on the path has no gradient.
 */
export function gradients(loss: Value, wrt: readonly Value[], seed: Value): (Value | undefined)[] {
  if (sizeOf(loss.shape) !== 1 || loss.dtype !== 'f32')
    throw new GatewiseError(
      'shape',
      `grad: expected a loss with one f32 element, got ${loss.dtype} ${show(loss.shape)}; reduce it with sum or mean`,
    );
  return vjp([loss], [seed], wrt);
}

/**
 * The cotangents of `wrt`, given those of `outputs`; undefined if the outputs do not depend on one. Each of `wrt` is an
 * independent variable, even if one is computed from another.
 * @throws GatewiseError `unsupported` if an op on the path has no gradient.
 */
export function vjp(
  outputs: readonly Value[],
  given: readonly (Value | undefined)[],
  wrt: readonly Value[],
): (Value | undefined)[] {
  const order = nodesOf(outputs, new Set(wrt));
  // Only nodes between the outputs and `wrt` take part.
  const needed = new Set<Value>(wrt);
  const active = new Set<Node>();
  for (const node of order) {
    if (!node.inputs.some((input) => needed.has(input))) continue;
    active.add(node);
    node.outputs.forEach((output) => needed.add(output));
  }
  const cotangents = new Map<Value, Value>();
  const accumulate = (value: Value, d: Value): void => {
    const sum = cotangents.get(value);
    cotangents.set(value, sum === undefined ? d : add(sum, d));
  };
  outputs.forEach((output, i) => {
    const d = given[i];
    if (d !== undefined) accumulate(output, d);
  });
  for (const node of order.reverse()) {
    if (!active.has(node)) continue;
    const received = node.outputs.map((output) => cotangents.get(output));
    if (received.every((d) => d === undefined)) continue;
    if (node.op.grad === undefined)
      throw new GatewiseError(
        'unsupported',
        `grad: ${node.op.name} has no gradient (second derivatives through it are not supported)`,
      );
    node.op.grad(node, received).forEach((d, i) => {
      const input = node.inputs[i];
      if (d !== undefined && needed.has(input)) accumulate(input, d);
    });
  }
  return wrt.map((value) => cotangents.get(value));
}
