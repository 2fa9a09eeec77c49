// Graph passes before planning: they decompose composite ops, merge common subexpressions, legalize nodes for the target's
// kernels and drop dead nodes.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape } from '../core/shape.ts';
import { isArith } from '../expr/arith.ts';
import { Node, nodesOf, type Value } from '../graph/value.ts';
import type { NodeUse, Target } from './target.ts';

/** Nodes, producers before readers, and the values to compute. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
}

/** Returns values in place of a node's outputs, or undefined to leave it. @param node `original` with rewritten inputs. */
type Rule = (node: Node, original: Node) => readonly Value[] | undefined;

/** Applies a rule to every node, producers first, and to the new nodes that produce the values which the rule returns. */
export function rewrite({ nodes, outputs }: Graph, rule: Rule): Graph {
  const replaced = new Map<Value, Value>();
  const rewritten = new Set<Value>();
  const result: Node[] = [];
  const current = (value: Value): Value => replaced.get(value) ?? value;
  const visit = (original: Node): void => {
    const inputs = original.inputs.map(current);
    const isSame = inputs.every((input, i) => input === original.inputs[i]);
    const node = isSame ? original : new Node(original.op, original.attrs, inputs, original.outputs);
    const replacement = rule(node, original);
    if (replacement === undefined) {
      result.push(node);
      node.outputs.forEach((output) => rewritten.add(output));
    } else nodesOf(replacement, rewritten).forEach(visit);
    original.outputs.forEach((output, i) => {
      const value = (replacement ?? node.outputs)[i];
      if (value !== output) replaced.set(output, current(value));
    });
  };
  nodes.forEach(visit);
  return { nodes: result, outputs: outputs.map(current) };
}

/** Common subexpression elimination: merges nodes of one op with equal attributes and inputs. Identity nodes are dropped. */
export function mergeEqual(graph: Graph): Graph {
  const ids = new Map<object, number>();
  const idOf = (item: object): number => {
    const id = ids.get(item) ?? ids.size;
    ids.set(item, id);
    return id;
  };
  const isOpaque = (item: unknown): item is object => typeof item === 'function' || isArith(item);
  // JSON writes NaN and infinities as null and -0 as 0, but they are different attributes.
  const isLossy = (item: unknown): item is number =>
    typeof item === 'number' && (!Number.isFinite(item) || Object.is(item, -0));
  const toJSON = (item: unknown): unknown => {
    if (isOpaque(item)) return `id ${idOf(item)}`;
    return isLossy(item) ? `number ${Object.is(item, -0) ? '-0' : item}` : item;
  };
  const first = new Map<string, Node>();
  return rewrite(graph, (node) => {
    const { op, inputs, outputs } = node;
    if (op.isIdentity === true) return outputs.map((_, output) => inputs[op.viewOf?.(output) ?? 0]);
    const attrs = JSON.stringify(node.attrs, (_, item: unknown) => toJSON(item));
    const key = `${node.op.name} ${attrs} ${node.inputs.map(idOf).join()}`;
    const same = first.get(key);
    if (same === undefined) first.set(key, node);
    return same?.outputs;
  });
}

/** Dead code elimination: drops the nodes that no output depends on. */
function eliminateDead({ nodes, outputs }: Graph): Graph {
  const needed = new Set(outputs.flatMap(({ node }) => node ?? []));
  for (const node of nodes.toReversed()) {
    if (!needed.has(node)) continue;
    for (const { node: producer } of node.inputs) if (producer !== undefined) needed.add(producer);
  }
  return { nodes: nodes.filter((node) => needed.has(node)), outputs };
}

/** Rewrites each node into the form that the target's kernel of its op runs best. */
function legalize(graph: Graph, target: Target): Graph {
  const read = new Set([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs]);
  const computed = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  return rewrite(graph, (node, original) => {
    if (isResolvedByPlan(node)) return undefined;
    const use: NodeUse = {
      // Outputs of a node that a legalization made are not in the graph, so they count as read.
      reads: (output) => read.has(original.outputs[output]) || !computed.has(original.outputs[output]),
    };
    return target.kernel(node.op).legalize?.(node, use);
  });
}

/** Whether the planner turns an op into views, copies or fills, so that no backend has a kernel for it. */
export function isResolvedByPlan({ op }: Node): boolean {
  return op.view !== undefined || op.isStructural === true;
}

/** Replaces composite nodes by the nodes of other ops that they stand for. */
export function decompose(graph: Graph, { limits }: Pick<Target, 'limits'>): Graph {
  return rewrite(graph, ({ op, attrs, inputs, outputs }) => {
    const values = op.decompose?.(attrs, inputs, limits);
    values?.forEach(({ shape, dtype }, i) => {
      const expected = outputs[i];
      if (!sameShape(shape, expected.shape) || dtype !== expected.dtype)
        throw new GatewiseError(
          'internal',
          `plan: ${op.name} became ${dtype} ${show(shape)}, expected ${expected.dtype} ${show(expected.shape)}`,
        );
    });
    return values;
  });
}

/** The graph of `outputs` after all passes for a target. */
export function optimise(outputs: readonly Value[], target: Target): Graph {
  const merged = eliminateDead(mergeEqual(decompose({ nodes: nodesOf(outputs), outputs }, target)));
  return eliminateDead(mergeEqual(legalize(merged, target)));
}
