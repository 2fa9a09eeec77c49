// Partial evaluation: splits a computation in two at the values that depend on known arguments alone, so that one function computes
// these before the other arguments are there and a second one does the rest.
import { Node, nodesOf, type Op, type Value } from '../graph/value.ts';
import { elementwiseOp } from '../ops/elementwise.ts';
import { decompose, isResolvedByPlan, mergeEqual, rewrite } from './rewrite.ts';
import type { Target } from './target.ts';

const UNLIMITED = { inputs: Infinity, outputs: Infinity };

/** A computation in two parts. */
export interface PartialEvaluation {
  /** What the rest needs of the known arguments: values that depend on these alone. Empty if nothing is worth computing before. */
  readonly residuals: readonly Value[];
  /** The outputs of the whole, computed from given values in place of the residuals. */
  readonly rest: (given: readonly Value[]) => Value[];
}

/**
 * Splits the computation of `outputs`.
 * @param frozen Arguments that rarely change. What depends on them alone is memoised by any plan, and is no residual.
 * @param known The other arguments that are known before the rest.
 */
export function partialEvaluation(
  outputs: readonly Value[],
  frozen: readonly Value[],
  known: readonly Value[],
  target: Target,
): PartialEvaluation {
  const whole = mergeEqual(decompose({ nodes: nodesOf(outputs), outputs }, target));
  const used = new Set([...whole.nodes.flatMap(({ inputs }) => inputs), ...whole.outputs]);
  const { expression: limits = UNLIMITED } = target.kernel(elementwiseOp as Op);
  /** Values that depend on known and frozen arguments alone, and those of them that depend on frozen ones alone. */
  const [available, constant] = [new Set([...frozen, ...known]), new Set(frozen)];
  const graph = rewrite(whole, (node, original) => {
    for (const set of [available, constant])
      if (node.inputs.every((input) => set.has(input))) node.outputs.forEach((output) => set.add(output));
    return node.op.split?.(node, {
      isKnown: (input) => available.has(node.inputs[input]),
      // Outputs of a node that the rewriting made are not in the graph, so they count as read.
      reads: (output) => used.has(original.outputs[output]) || !whole.nodes.includes(original),
      limits,
    });
  });
  /** Values in whose computation a kernel runs, and not only views. */
  const computed = new Set<Value>();
  for (const node of graph.nodes) {
    if (!isResolvedByPlan(node) || node.inputs.some((input) => computed.has(input)))
      node.outputs.forEach((output) => computed.add(output));
  }
  const isEarly = (value: Value): boolean =>
    available.has(value) && !constant.has(value) && computed.has(value);
  // The rest takes views itself: of a matrix whose parts it reads, the matrix is one residual.
  const later: Node[] = [];
  const residuals: Value[] = [];
  const read = new Set(graph.outputs);
  for (const node of graph.nodes.toReversed()) {
    const results = node.outputs.filter((output) => read.has(output));
    if (results.length === 0) continue;
    if (results.every(isEarly) && node.op.view === undefined) residuals.unshift(...results);
    else {
      later.unshift(node);
      node.inputs.forEach((input) => read.add(input));
    }
  }
  return {
    residuals,
    rest: (given) => {
      const replaced = new Map(residuals.map((value, i) => [value, given[i]]));
      const current = (value: Value): Value => replaced.get(value) ?? value;
      for (const { op, attrs, inputs, outputs: old } of later) {
        const { outputs: made } = new Node(op, attrs, inputs.map(current), old);
        old.forEach((value, i) => replaced.set(value, made[i]));
      }
      return graph.outputs.map(current);
    },
  };
}
