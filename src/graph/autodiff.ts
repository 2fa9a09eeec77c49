// Reverse-mode differentiation over the graph: each op states its gradient in terms of ops.
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { add } from '../expr/arith.ts';
import { nodesOf, type Node, type Value } from './value.ts';

/**
 * Gradients of a scalar with respect to values, of the values' shapes; undefined where the scalar does not depend on one.
 * @param seed the cotangent of `loss`, a scalar value.
 * @throws GatewiseError `shape` where `loss` is not a scalar, `unsupported` where an op on the way has no gradient.
 */
export function gradients(loss: Value, wrt: readonly Value[], seed: Value): (Value | undefined)[] {
  if (sizeOf(loss.shape) !== 1 || loss.dtype !== 'f32') {
    throw new GatewiseError(
      'shape',
      `grad: expected a loss with one f32 element, got ${loss.dtype} ${show(loss.shape)}; reduce it with sum or mean`,
    );
  }
  const order = nodesOf([loss]);
  // Only nodes between the loss and the values asked for take part.
  const needed = new Set<Value>(wrt);
  const active = new Set<Node>();
  for (const node of order) {
    if (!node.inputs.some((input) => needed.has(input))) continue;
    active.add(node);
    node.outputs.forEach((output) => needed.add(output));
  }
  const cotangents = new Map<Value, Value>([[loss, seed]]);
  for (const node of order.reverse()) {
    if (!active.has(node)) continue;
    const given = node.outputs.map((output) => cotangents.get(output));
    if (given.every((d) => d === undefined)) continue;
    if (node.op.grad === undefined) {
      throw new GatewiseError(
        'unsupported',
        `grad: ${node.op.name} has no gradient (second derivatives through it are not supported)`,
      );
    }
    node.op.grad(node, given).forEach((d, i) => {
      const input = node.inputs[i];
      if (d === undefined || !needed.has(input)) return;
      const known = cotangents.get(input);
      cotangents.set(input, known === undefined ? d : add(known, d));
    });
  }
  return wrt.map((value) => cotangents.get(value));
}
