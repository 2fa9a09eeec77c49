// Graph passes before planning: merge common subexpressions, legalize nodes for the target, drop dead nodes.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape } from '../core/shape.ts';
import { Expr } from '../expr/expr.ts';
import { Node, nodesOf, type Value } from '../graph/value.ts';
import type { NodeUse, Target } from './target.ts';

/** Nodes in topological order, and the requested values. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
}

/** Outputs that replace a node's, or undefined to keep the node. */
type Rule = (node: Node, original: Node) => readonly Value[] | undefined;

/**
 * Applies a rule to every node in topological order, and to the nodes that the rule creates. A node with replaced inputs is
 * rebuilt.
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

/** Merges nodes with equal op, attributes and inputs, and removes nodes that only affect gradients. */
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
  // JSON cannot represent these numbers and would write distinct ones alike.
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

/** Drops nodes that no output depends on. */
function eliminateDead({ nodes, outputs }: Graph): Graph {
  const needed = new Set(outputs.flatMap(({ node }) => node ?? []));
  for (const node of nodes.toReversed()) {
    if (!needed.has(node)) continue;
    for (const { node: maker } of node.inputs) if (maker !== undefined) needed.add(maker);
  }
  return { nodes: nodes.filter((node) => needed.has(node)), outputs };
}

/** Legalizes each node for its target kernel. @param early Arguments known before the others of a run. */
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

/** Whether the planner resolves the op itself, without a kernel. */
export function isResolvedByPlan({ op }: Node): boolean {
  return op.view !== undefined || op.isStructural === true;
}

/** Traces composite nodes into other ops. */
export function decompose(graph: Graph, { limits }: Pick<Target, 'limits'>): Graph {
  return rewrite(graph, ({ op, attrs, inputs, outputs }) => {
    const made = op.decompose?.(attrs, inputs, limits);
    made?.forEach(({ shape, dtype }, i) => {
      const expected = outputs[i];
      if (!sameShape(shape, expected.shape) || dtype !== expected.dtype)
        throw new GatewiseError(
          'internal',
          `plan: ${op.name} became ${dtype} ${show(shape)}, expected ${expected.dtype} ${show(expected.shape)}`,
        );
    });
    return made;
  });
}

/** The graph of `outputs` as the target runs it. @param early Arguments known before the others of a run. */
export function optimise(outputs: readonly Value[], target: Target, early: ReadonlySet<Value>): Graph {
  const merged = eliminateDead(mergeEqual(decompose({ nodes: nodesOf(outputs), outputs }, target)));
  return eliminateDead(mergeEqual(legalize(merged, target, early)));
}
