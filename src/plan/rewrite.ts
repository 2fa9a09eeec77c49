// Passes over the graph before it is planned: common subexpressions merged, nodes legalized for the target, dead nodes dropped.
import { Expr } from '../expr/expr.ts';
import { Node, nodesOf, type Value } from '../graph/value.ts';
import type { NodeUse, Target } from './target.ts';

/** Nodes in an order in which each can be computed, and the values that are wanted. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
}

/** The outputs that take the place of a node's, or undefined to leave it. */
type Rule = (node: Node, original: Node) => readonly Value[] | undefined;

/**
 * Applies a rule to every node, makers first, and to the nodes that the rule makes. A node whose inputs were replaced is
 * made anew with the new ones.
 */
function rewrite({ nodes, outputs }: Graph, rule: Rule): Graph {
  const replaced = new Map<Value, Value>();
  const known = new Set<Value>();
  const result: Node[] = [];
  const current = (value: Value): Value => replaced.get(value) ?? value;
  const visit = (original: Node): void => {
    const inputs = original.inputs.map(current);
    const isSame = inputs.every((input, i) => input === original.inputs[i]);
    const node = isSame ? original : new Node(original.op, original.attrs, inputs, original.outputs);
    const made = rule(node, original);
    if (made === undefined) {
      result.push(node);
      node.outputs.forEach((output) => known.add(output));
    } else nodesOf(made, known).forEach(visit);
    original.outputs.forEach((output, i) => {
      const value = (made ?? node.outputs)[i];
      if (value !== output) replaced.set(output, current(value));
    });
  };
  nodes.forEach(visit);
  return { nodes: result, outputs: outputs.map(current) };
}

/** Of nodes of one op with the same attributes and inputs one is left, and none of those that only gradients need. */
function mergeEqual(graph: Graph): Graph {
  const ids = new Map<object, number>();
  const idOf = (item: object): number => {
    const id = ids.get(item) ?? ids.size;
    ids.set(item, id);
    return id;
  };
  const isOpaque = (item: unknown): item is object =>
    typeof item === 'function' ||
    item instanceof Expr ||
    (typeof item === 'object' && item !== null && 'apply' in item);
  // JSON writes these as null, and different numbers must not become one.
  const isUnwritable = (item: unknown): item is number =>
    typeof item === 'number' && (!Number.isFinite(item) || Object.is(item, -0));
  const written = (item: unknown): unknown => {
    if (isOpaque(item)) return `id ${idOf(item)}`;
    return isUnwritable(item) ? `number ${Object.is(item, -0) ? '-0' : item}` : item;
  };
  const first = new Map<string, Node>();
  return rewrite(graph, (node) => {
    const { op, inputs, outputs } = node;
    if (op.isIdentity === true) return outputs.map((_, output) => inputs[op.viewOf?.(output) ?? 0]);
    const attrs = JSON.stringify(node.attrs, (_, item: unknown) => written(item));
    const key = `${node.op.name} ${attrs} ${node.inputs.map(idOf).join()}`;
    const same = first.get(key);
    if (same === undefined) first.set(key, node);
    return same?.outputs;
  });
}

/** Nodes that no output needs are dropped. */
function eliminateDead({ nodes, outputs }: Graph): Graph {
  const needed = new Set(outputs.flatMap(({ node }) => node ?? []));
  for (const node of nodes.toReversed()) {
    if (!needed.has(node)) continue;
    for (const { node: maker } of node.inputs) if (maker !== undefined) needed.add(maker);
  }
  return { nodes: nodes.filter((node) => needed.has(node)), outputs };
}

/** Each node in the form that the target's kernel of its op asks for. @param early Arguments known before the others of a run. */
function legalize(graph: Graph, target: Target, early: ReadonlySet<Value>): Graph {
  const read = new Set([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs]);
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const known = new Set(early);
  return rewrite(graph, (node, original) => {
    if (node.inputs.every((input) => known.has(input))) node.outputs.forEach((output) => known.add(output));
    if (isResolvedByPlan(node)) return undefined;
    const use: NodeUse = {
      reads: (output) => read.has(original.outputs[output]) || !made.has(original.outputs[output]),
      isPrefetchable: (input) => early.size > 0 && known.has(node.inputs[input]),
    };
    return target.kernel(node.op).legalize?.(node, use);
  });
}

/** Whether the planner itself takes care of an op, so that no kernel runs it. */
export function isResolvedByPlan({ op }: Node): boolean {
  return op.view !== undefined || op.isStructural === true;
}

/** Composite nodes in terms of other ops. */
export function decompose(graph: Graph, { limits }: Pick<Target, 'limits'>): Graph {
  return rewrite(graph, ({ op, attrs, inputs }) => op.decompose?.(attrs, inputs, limits));
}

/** The graph of `outputs` as the target runs it. @param early Arguments that are known before the others of a run. */
export function optimise(outputs: readonly Value[], target: Target, early: ReadonlySet<Value>): Graph {
  const merged = mergeEqual(decompose({ nodes: nodesOf(outputs), outputs }, target));
  return eliminateDead(mergeEqual(legalize(merged, target, early)));
}
